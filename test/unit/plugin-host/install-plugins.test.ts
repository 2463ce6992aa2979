import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PluginInstaller, type InstallerPorts } from '../../../src/plugin-host/install-plugins.js'
import { readIndex } from '../../../src/plugin-host/plugin-index.js'

let scratch: string
let home: string
const specs: string[] = []

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'installer-'))
  home = join(scratch, 'plugins')
  specs.length = 0
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

/** What npm does, as far as it matters: the version is what follows the @. */
const install: InstallerPorts['install'] = async (folder, spec) => {
  specs.push(spec)
  const [name = '', version = '1.0.0'] = spec.split('@')
  const root = join(folder, 'node_modules', name)
  await mkdir(root, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ dependencies: { [name]: version } }))
  await writeFile(join(root, 'package.json'), JSON.stringify({ name, version, oclif: { hooks: { 'offload:contribute': './hook.js' } } }))
}
const installer = (ports: Partial<InstallerPorts> = {}) => new PluginInstaller(home, { install, tryOut: async () => undefined, ...ports })
const installed = async () => (await readIndex(home)).map(({ name, version }) => `${name}@${version}`)
const folders = () => readdir(join(home, 'packages'))

describe('installing plugins', () => {
  it('keeps each in a folder of its own, in the order of their names', async () => {
    await installer().install('b@1.0.0')
    await installer().install('a@2.0.0')
    expect(await installed()).toEqual(['a@2.0.0', 'b@1.0.0'])
    expect(await folders()).toHaveLength(2)
    await installer().uninstall('b')
    expect(await installed()).toEqual(['a@2.0.0'])
    expect(await folders()).toHaveLength(1)
  })

  it.each<[string, Partial<InstallerPorts>, RegExp]>([
    ['npm fails', { install: () => Promise.reject(new Error('no network')) }, /no network/],
    ['npm fails half-way', { install: async (folder, spec) => install(folder, spec).then(() => Promise.reject(new Error('disk full'))) }, /disk full/],
    ['npm installs nothing', { install: async () => undefined }, /npm has installed nothing/],
    ['the plugin does not work', { tryOut: () => Promise.reject(new Error('it throws')) }, /it throws/],
  ])('leaves what worked where %s', async (_, ports, says) => {
    await installer().install('a@1.0.0')
    const before = await folders()
    await expect(installer(ports).install('a@2.0.0')).rejects.toThrow(says)
    expect(await installed()).toEqual(['a@1.0.0'])
    expect(await folders()).toEqual(before)
  })

  it('shows those who read meanwhile what was there before', async () => {
    await installer().install('a@1.0.0')
    await installer({
      tryOut: async (entries) => {
        expect(entries.map(({ version }) => version)).toEqual(['2.0.0'])
        expect(await installed()).toEqual(['a@1.0.0'])
        expect(await folders()).toHaveLength(2)
      },
    }).install('a@2.0.0')
    expect(await installed()).toEqual(['a@2.0.0'])
  })

  it('keeps a version that was replaced for as long as a process has it open', async () => {
    await installer().install('a@1.0.0')
    const [first = ''] = await folders()
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', openSync(join(home, 'packages', first), 'r')] })
    await once(child, 'spawn')
    const own = openSync(join(home, 'packages', first), 'r')
    await installer().install('a@2.0.0')
    closeSync(own)
    expect(await folders()).toHaveLength(2)
    await installer().install('b')
    expect(await folders()).toContain(first)
    child.kill()
    await once(child, 'exit')
    await closeInherited(join(home, 'packages', first))
    await installer().uninstall('b')
    expect(await folders()).not.toContain(first)
  })

  it('removes what a killed installation has left', async () => {
    await installer().install('a')
    for (const name of ['half-1234', 'trial-1234', '.gone-1234']) await mkdir(join(home, 'packages', name, 'node_modules'), { recursive: true })
    await installer().install('b')
    expect(await folders()).toHaveLength(2)
  })

  it('takes turns', async () => {
    const second = installer({ install: () => Promise.reject(new Error('must not be called')) })
    await installer({ tryOut: () => expect(second.install('b')).rejects.toMatchObject({ code: 'plugins-locked' }) }).install('a')
    expect(await installed()).toEqual(['a@1.0.0'])
  })

  it('does not put code where others could change it', async () => {
    await mkdir(home)
    await chmod(home, 0o777)
    await expect(installer().install('a')).rejects.toMatchObject({ code: 'untrusted-file' })
    expect(specs).toEqual([])
  })

  it.each([
    ['./x.tgz', join(process.cwd(), 'x.tgz')], ['x.tar.gz', join(process.cwd(), 'x.tar.gz')], ['file:../x', join(process.cwd(), '../x')], ['file:///x', '/x'], ['..', join(process.cwd(), '..')],
    ['name@^1', 'name@^1'], ['@scope/name', '@scope/name'], ['https://example.org/x.tgz', 'https://example.org/x.tgz'], ['git+ssh://git@example.org/x.git', 'git+ssh://git@example.org/x.git'],
  ])('passes %s to npm as %s', async (spec, passed) => {
    const stop = (_: string, seen: string) => Promise.reject(new Error(seen))
    await expect(installer({ install: stop }).install(spec)).rejects.toThrow(new Error(passed))
  })
})

/** The descriptor that the child was given is open here, too. */
async function closeInherited(folder: string): Promise<void> {
  for (const fd of await readdir('/proc/self/fd')) {
    const target = await import('node:fs/promises').then(({ readlink }) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    if (target === folder) closeSync(Number(fd))
  }
}

describe('the index', () => {
  it('is replaced as a whole', async () => {
    await installer().install('a')
    const text = await readFile(join(home, 'index.json'), 'utf8')
    expect(JSON.parse(text)).toEqual({ schema: 1, plugins: [{ name: 'a', version: '1.0.0', kind: 'package', folder: expect.stringMatching(/^packages\/a-[0-9a-f]{8}\/node_modules\/a$/) as string, from: 'a' }] })
    expect((await readdir(home)).sort()).toEqual(['index.json', 'lock', 'packages'])
  })
})
