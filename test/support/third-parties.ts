/** The packages of test/fixtures/plugins as their authors would publish them: compiled against what the package publishes, nothing else in sight, and packed by npm. */
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export interface PackedPlugins extends AsyncDisposable {
  readonly folder: string
  /** File names in that folder, by the fixture's name. */
  readonly tarballs: Readonly<Record<string, string>>
}

export async function packThirdParties(names: readonly string[]): Promise<PackedPlugins> {
  const scratch = await mkdtemp(join(tmpdir(), 'guix-offload-third-'))
  const remove = () => rm(scratch, { recursive: true, force: true })
  try {
    const folder = join(scratch, 'packed')
    for (const path of [folder, join(scratch, 'node_modules')]) await mkdir(path)
    // guix-offload by its name, so that its `exports` decide what can be imported.
    await symlink(checkout, join(scratch, 'node_modules/guix-offload'))
    await symlink(join(checkout, 'node_modules/@types'), join(scratch, 'node_modules/@types'))
    const tarballs: Record<string, string> = {}
    for (const name of names) {
      const root = join(scratch, name)
      await cp(join(checkout, 'test/fixtures/plugins', name), root, { recursive: true, filter: (path) => !path.endsWith(`${name}/test`) })
      await execa(join(checkout, 'node_modules/.bin/tsc'), ['--preserveSymlinks', '-p', root])
      const { name: packageName, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { name: string; version: string }
      await execa('npm', ['pack', '--pack-destination', folder], { cwd: root })
      tarballs[name] = `${packageName}-${version}.tgz`
    }
    await execa('chmod', ['-R', 'go+rX', scratch])
    await chmod(scratch, 0o755)
    return { folder, tarballs, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** The folder of the npm that the tests run with: made of scripts alone, so that it runs wherever Node does. */
export async function npmFolder(): Promise<string> {
  const { stdout } = await execa('npm', ['root', '--global'])
  return join(stdout.trim(), 'npm')
}
