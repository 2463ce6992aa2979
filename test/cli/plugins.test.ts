import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.js'

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cli-home-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** Puts a plugin where oclif's `plugins link` would. */
async function linkPlugin(name: string, hook: string): Promise<void> {
  const root = join(home, name)
  const data = join(home, '.local', 'share', 'guix-offload')
  await mkdir(root)
  await mkdir(data, { recursive: true })
  await writeFile(join(root, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', oclif: { hooks: { 'offload:contribute': './hook.js' } } }))
  await writeFile(join(root, 'hook.js'), hook)
  await writeFile(join(data, 'package.json'), JSON.stringify({ oclif: { schema: 1, plugins: [{ name, root, type: 'link' }] } }))
}

const machines = (environment: Record<string, string>) => runCli(['machines', '/no/such/file'], { environment })

const machine = {
  name: 'b1', port: 2222, systems: ['x86_64-linux'], user: 'u', hostKey: 'ssh-ed25519 A', daemonSocket: '/s', overloadThreshold: null, parallelBuilds: 3, speed: 1, features: ['kvm'],
  source: 'third-source',
}
const source = `export default ({ registrar }) => registrar.machineSource('third-source', ({ options }) => ({
  name: 'third-source',
  list: async ({ file }) => ({ machines: [${JSON.stringify(machine)}], warnings: [{ code: 'w', message: 'file ' + file + ', options ' + JSON.stringify(options) }] }),
}))`

async function configure(text: string): Promise<Record<string, string>> {
  const file = join(home, 'offload.yaml')
  await writeFile(file, text)
  return { HOME: home, GUIX_OFFLOAD_CONFIG: file }
}

describe('a third party\'s plugin', () => {
  it('brings a machine source that the configuration chooses, and gets its options and the file', async () => {
    await linkPlugin('third', source)
    const environment = await configure('sources: [third-source]\nplugins: { third-source: { a: 1 } }\nmachines: { "b*": { proxyJump: gate, disabled: true } }\n')
    const { status, stdout, stderr } = await runCli(['machines', '--json', '/some/file'], { environment })
    expect(stderr).toBe('guix-offload: warning: file /some/file, options {"a":1}\n')
    expect((JSON.parse(stdout) as { machines: unknown }).machines).toEqual([{ ...machine, engine: null, privateKey: null, compression: null, compressionLevel: 3, location: null, settings: { proxyJump: 'gate', disabled: true } }])
    expect(status).toBe(0)
  })

  it('is suggested when its name is misspelt', async () => {
    await linkPlugin('third', source)
    const { status, stderr } = await runCli(['machines'], { environment: await configure('sources: [thrid-source]\n') })
    expect(stderr).toMatch(/'thrid-source'.*Did you mean 'third-source'\?/)
    expect(status).toBe(1)
  })

  it('is named when it failed and what it brings is wanted', async () => {
    await linkPlugin('third', `${source}; throw new Error('broken')`)
    const { status, stdout } = await runCli(['machines', '--json'], { environment: await configure('sources: [third-source]\n') })
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unknown-machine-source', cure: expect.stringMatching(/Plugin third failed \(broken\)/) as string } })
    expect(status).toBe(1)
  })

  it('does not matter to commands that need no plugin, nor does a broken configuration', async () => {
    const environment = await configure('no such: key\n')
    expect(await runCli(['--version'], { environment })).toMatchObject({ status: 0, stderr: '' })
    expect((await runCli(['machines'], { environment })).stderr).toMatch(/offload.yaml.*no such/)
  })
})

describe('plugins', () => {
  it.each([
    ['fails', 'export default () => { throw new Error("no luck") }', /plugin @third\/party is left out: no luck/],
    ['hangs', 'export default () => new Promise(() => {})', /plugin @third\/party is left out: .*2000 ms/],
    ['cannot be loaded', 'import "no-such-module"', /plugin @third\/party is left out: .*no-such-module/],
  ])('named in one warning when its hook %s', async (_, hook, warning) => {
    await mkdir(join(home, '@third'))
    await linkPlugin('@third/party', hook)
    const { stdout, stderr } = await machines({ HOME: home })
    expect(stderr).toMatch(warning)
    expect(stderr.match(/@third\/party is left out/g)).toHaveLength(1)
    expect(stdout).not.toContain('third')
  })

  it('cannot write into our output', async () => {
    await linkPlugin('loud', 'console.log("# decline"); export default () => { process.stdout.write("[]") }')
    const { stdout, stderr } = await machines({ HOME: home })
    expect(stderr).toContain('# decline')
    expect(stdout).not.toMatch(/decline|\[\]/)
  })

  it.each([['.', 0o777], ['.local/share/guix-offload', 0o775]])('not loaded when others may write to %s', async (folder, mode) => {
    await linkPlugin('unsafe', 'process.stderr.write("ran\\n"); export default () => {}')
    expect((await machines({ HOME: home })).stderr).toContain('ran')
    await chmod(join(home, folder), mode)
    const { stderr } = await machines({ HOME: home })
    expect(stderr).not.toMatch(/^ran$/m)
    expect(stderr).toMatch(/warning: installed plugins are not used: /)
  })

  it('need nothing written into the home folder', async () => {
    await machines({ HOME: home })
    await runCli(['--help'], { environment: { HOME: home } })
    expect(await readdir(home)).toEqual([])
  })
})
