/** The packed package as users get it, and other versions of Node to run it with. Both need npm's registry, as any installation does. */
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { cacheFolder } from '../testbed/cache.js'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

export interface InstalledPackage extends AsyncDisposable {
  /** Where npm has put it: `bin/guix-offload`, `lib/node_modules/guix-offload`. */
  readonly prefix: string
}

/** Packs the checkout as it is built and installs it into a folder of its own; every user may read it. */
export async function installPackage(): Promise<InstalledPackage> {
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-installed-'))
  const prefix = join(folder, 'prefix')
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const packed = process.env['GUIX_OFFLOAD_TARBALL'] ?? ''
    const tarball = packed === '' ? await pack(folder) : packed
    await execa('npm', ['install', '--global', '--no-audit', '--no-fund', '--prefix', prefix, tarball], { cwd: '/' })
    await execa('chmod', ['-R', 'go+rX', folder])
    return { prefix, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Not by npm's own scripts, which begin by deleting what other tests are running at this moment. */
async function pack(folder: string): Promise<string> {
  const manifests = ['.config/oclif-manifests.js']
  await execa('node', manifests, { cwd: checkout })
  try {
    await execa('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: checkout })
  } finally {
    await execa('node', [...manifests, '--remove'], { cwd: checkout })
  }
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Error('npm pack has made nothing')
  return join(folder, tarball)
}

/** Path of that version's program, from npm's packages of it; kept in the test bed's cache. */
export async function nodeVersion(version: string): Promise<string> {
  const name = `node-linux-${process.arch}`
  const target = join(cacheFolder(), `node-${version}-${process.arch}`)
  const program = join(target, 'node_modules', name, 'bin', 'node')
  if (await access(program).then(() => true, () => false)) return program
  await mkdir(cacheFolder(), { recursive: true })
  const temporary = await mkdtemp(`${target}.`)
  try {
    await execa('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', temporary, `${name}@${version}`], { cwd: '/' })
    await chmod(temporary, 0o755)
    await rename(temporary, target).catch(async (error: NodeJS.ErrnoException) => {
      // Somebody else was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return program
}
