import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.js'

let scratch: string
let home: string

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'cli-plugins-'))
  await chmod(scratch, 0o755)
  home = join(scratch, 'plugins')
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

/** A package with that hook; what else is in its package.json is given. */
async function makePackage(name: string, hook: string, more: Record<string, unknown> = {}): Promise<string> {
  const root = join(scratch, 'sources', name.replace('/', '-'))
  await mkdir(root, { recursive: true })
  await writeFile(join(root, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', oclif: { hooks: { 'offload:contribute': './hook.js' } }, ...more }))
  await writeFile(join(root, 'hook.js'), hook)
  return root
}

const environment = (more: Record<string, string> = {}) => ({ GUIX_OFFLOAD_PLUGINS: home, HOME: scratch, PATH: process.env['PATH'] ?? '', ...more })
const plugins = (...words: string[]) => runCli(['plugins', ...words], { environment: environment() })
const machines = (more: Record<string, string> = {}, words: string[] = []) => runCli(['machines', ...words, '/no/such/file'], { environment: environment(more) })

/** Writes what `link` does, whatever the plugin is like. */
async function putLink(name: string, hook: string, more: Record<string, unknown> = {}): Promise<string> {
  const folder = await makePackage(name, hook, more)
  await mkdir(home, { recursive: true })
  const before = await readFile(join(home, 'index.json'), 'utf8').then((text) => (JSON.parse(text) as { plugins: object[] }).plugins, () => [])
  await writeFile(join(home, 'index.json'), JSON.stringify({ schema: 1, plugins: [...before, { name, version: '1.0.0', kind: 'link', folder, from: folder }] }))
  return folder
}

async function configure(text: string): Promise<Record<string, string>> {
  const file = join(scratch, 'offload.yaml')
  await writeFile(file, text)
  return { GUIX_OFFLOAD_CONFIG: file }
}

const machine = {
  name: 'b1', port: 2222, systems: ['x86_64-linux'], user: 'u', hostKey: 'ssh-ed25519 A', daemonSocket: '/s', overloadThreshold: null, parallelBuilds: 3, speed: 1, features: ['kvm'],
  source: 'third',
}
const source = (list: string) => `export default ({ registrar }) => registrar.machineSource('third', ({ options }) => ({ name: 'third', list: async ({ file }) => (${list}) }))`
const working = source(`{ machines: [${JSON.stringify(machine)}], warnings: [{ code: 'w', message: 'file ' + file + ', options ' + JSON.stringify(options) }] }`)
const nothing = 'export default () => {}'

describe('plugins install', () => {
  it('installs with npm, lists what it brings, and uninstalls', async () => {
    await makePackage('dependency', 'export const port = 2222')
    const folder = await makePackage('@third/party', `import { port } from 'dependency/hook.js'; ${working.replace('2222', 'port')}`, { dependencies: { dependency: 'file:../dependency' } })
    expect(await plugins('install', folder)).toMatchObject({ status: 0, stdout: 'installed @third/party 1.0.0\n', stderr: '' })
    expect(JSON.parse((await plugins('--json')).stdout)).toEqual({
      plugins: [{ name: '@third/party', version: '1.0.0', kind: 'package', from: folder, brings: [{ kind: 'machine source', name: 'third' }], problem: null }],
    })
    // What it was installed from is not needed any more.
    await rm(join(scratch, 'sources'), { recursive: true })
    const { stdout, stderr } = await machines(await configure('sources: [third]\nplugins: { third: { a: 1 } }\nmachines: { "b*": { disabled: true } }\n'), ['--json'])
    expect(stderr).toBe('guix-offload: warning: file /no/such/file, options {"a":1}\n')
    expect((JSON.parse(stdout) as { machines: unknown }).machines).toMatchObject([{ ...machine, settings: { disabled: true } }])
    expect(await plugins('uninstall', '@third/party')).toMatchObject({ status: 0, stdout: 'uninstalled @third/party 1.0.0\n' })
    expect(await plugins()).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await readdir(join(home, 'packages'))).toEqual([])
  })

  it.each([
    ['throws', { hook: 'throw new Error("no luck")' }, /trying third: no luck\. Nothing was changed/],
    ['is no plugin', { hook: nothing, oclif: undefined }, /third is no plugin of guix-offload: its package\.json names nothing under oclif\.hooks/],
    ['takes a name that is taken', { hook: 'export default ({ registrar }) => registrar.transport("ssh2", () => ({}))' }, /transport 'ssh2' is brought by two packages, @guix-offload\/transport-ssh2 and third/],
    ['wants another version of the API', { hook: nothing, 'guix-offload': { apiVersion: '2.0.0' } }, /trying third: .*it asks for version 2\.0\.0 of the plugin API, and this guix-offload has 1\./],
    ['cannot be had', { hook: nothing, dependencies: { gone: 'file:../no-such-folder' } }, /npm failed with status \d+: .*no-such-folder/],
    ['ends the program', { hook: 'process.exit(0)' }, /trying third: .*ended it/],
  ])('that fails changes nothing: the new version %s', async (_, { hook, ...more }, says) => {
    await plugins('install', await makePackage('third', working))
    const before = await readFile(join(home, 'index.json'), 'utf8')
    const folders = await readdir(join(home, 'packages'))
    const { status, stdout, stderr } = await plugins('install', await makePackage('third', hook, { version: '2.0.0', ...more }))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(says)
    expect(await readFile(join(home, 'index.json'), 'utf8')).toBe(before)
    expect(await readdir(join(home, 'packages'))).toEqual(folders)
    expect((await machines(await configure('sources: [third]\n'))).stdout).toContain('b1:2222')
  })

  it('replaces a version by another', async () => {
    await plugins('install', await makePackage('third', nothing))
    await plugins('install', await makePackage('third', working, { version: '2.0.0' }))
    expect((await plugins()).stdout).toMatch(/^third\t2\.0\.0\tmachine source third\t/)
    expect(await readdir(join(home, 'packages'))).toHaveLength(1)
  })

  it('makes readable what only its owner could read', async () => {
    const folder = await makePackage('third', working)
    await chmod(join(folder, 'hook.js'), 0o600)
    expect((await plugins('install', folder)).status).toBe(0)
    const [id] = await readdir(join(home, 'packages'))
    const { mode } = await import('node:fs/promises').then(({ stat }) => stat(join(home, 'packages', id ?? '', 'node_modules/third/hook.js')))
    expect(mode & 0o777).toBe(0o644)
  })

  it('says that it takes root', async () => {
    await mkdir(home)
    await chmod(home, 0o555)
    const words = ['--reuid', '54321', '--regid', '54321', '--clear-groups', process.execPath, 'bin/run.js', 'plugins', 'install', 'x']
    const { stderr, status } = await runCli(words.map((word) => (word === 'bin/run.js' ? join(process.cwd(), word) : word)), { program: '/usr/bin/setpriv', environment: environment() })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/EACCES.*Run this as root: plugins are installed for the whole system/) as string })
  })
})

describe('plugins link', () => {
  it('uses a plugin where it is', async () => {
    const folder = await makePackage('third', nothing)
    expect(await plugins('link', folder)).toMatchObject({ status: 0, stdout: `linked third 1.0.0 to ${folder}\n` })
    await writeFile(join(folder, 'hook.js'), working)
    expect((await plugins()).stdout).toBe(`third\t1.0.0\tmachine source third\tlink to ${folder}\n`)
    expect((await plugins('uninstall', 'thrid')).stderr).toContain('there is no plugin \'thrid\'. Did you mean \'third\'?')
    expect((await plugins('uninstall', 'third')).status).toBe(0)
    expect(await readFile(join(folder, 'hook.js'), 'utf8')).toBe(working)
  })

  it('refuses what the hook would', async () => {
    const folder = await makePackage('third', nothing)
    await chmod(join(folder, 'hook.js'), 0o666)
    expect((await plugins('link', folder)).stderr).toMatch(/everybody may write to it .*mode 0666.*chmod go-w \S+hook\.js/)
    expect((await plugins('link', '/no/such/folder')).stderr).toContain('there is no package in /no/such/folder')
  })
})

describe('a plugin that is installed', () => {
  it('is suggested when its name is misspelt', async () => {
    await putLink('third', working)
    const { status, stderr } = await machines(await configure('sources: [thrid]\n'))
    expect(stderr).toMatch(/'thrid'.*Did you mean 'third'\?/)
    expect(status).toBe(1)
  })

  it('is named when it failed and what it brings is wanted', async () => {
    await putLink('third', `${working}; throw new Error('broken')`)
    const { status, stdout } = await machines(await configure('sources: [third]\n'), ['--json'])
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'plugin-needed', cure: expect.stringMatching(/Plugin third failed \(broken\)/) as string } })
    expect(status).toBe(1)
  })

  it('does not matter to commands that need no plugin, nor does a broken configuration', async () => {
    await putLink('third', 'process.stderr.write("ran\\n"); export default () => {}')
    expect(await runCli(['--version'], { environment: environment(await configure('no such: key\n')) })).toMatchObject({ status: 0, stderr: '' })
    expect((await machines(await configure('no such: key\n'))).stderr).toMatch(/offload.yaml.*no such/)
  })

  it.each([
    ['fails', { hook: 'export default () => { throw new Error("no luck") }' }, /plugin @third\/party is left out: no luck/],
    ['throws nothing at all', { hook: 'export default () => { throw undefined }' }, /plugin @third\/party is left out: it threw undefined/],
    ['hangs', { hook: 'export default () => new Promise(() => {})' }, /plugin @third\/party is left out: .*2000 ms/],
    ['cannot be loaded', { hook: 'import "no-such-module"' }, /plugin @third\/party is left out: .*no-such-module/],
    ['exports nothing', { hook: 'export const other = 1' }, /plugin @third\/party is left out: .*hook\.js exports no function as default/],
    ['is outside of its folder', { hook: nothing, oclif: { hooks: { 'offload:contribute': '../../hook.js' } } }, /plugin @third\/party is left out: .*outside of its folder/],
    ['wants a newer API', { hook: nothing, 'guix-offload': { apiVersion: '1.99.0' } }, /plugin @third\/party is left out: .*asks for version 1\.99\.0 of the plugin API, and this guix-offload has 1\./],
  ])('is named in one warning when its hook %s; the others are used', async (_, { hook, ...more }, warning) => {
    await putLink('third', working)
    await putLink('@third/party', hook, more)
    const { stdout, stderr, status } = await machines(await configure('sources: [third]\n'))
    expect(stderr).toMatch(warning)
    expect(stderr.match(/@third\/party/g)).toHaveLength(1)
    expect(stdout).toContain('b1:2222')
    expect(status).toBe(0)
  })

  it('cannot write into our output, at whatever time', async () => {
    await putLink('loud', `console.log("# decline"); ${source(`(console.log("[]"), { machines: [], warnings: [] })`)}; process.stdout.write("[]")`)
    const { stdout, stderr } = await machines(await configure('sources: [third]\n'), ['--json'])
    expect(stderr.split('\n')).toEqual(expect.arrayContaining(['# decline', '[][]']))
    expect(JSON.parse(stdout)).toMatchObject({ machines: [] })
  })

  it('answers with what is wrong in what it lists', async () => {
    await putLink('third', source(`{ machines: [null, { ...${JSON.stringify(machine)}, port: '22' }, ${JSON.stringify(machine)}], warnings: [] }`))
    const { stdout, stderr } = await machines(await configure('sources: [third]\n'))
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain('third: null is no machine; the machine is left out')
    expect(stderr).toContain('third: machine "b1": port is "22", not a port from 1 to 65535; the machine is left out')
  })

  it.each([
    ['throws', `Promise.reject(new TypeError('x is not a function'))`, /third: asking machine source 'third': x is not a function\. Report it to the makers/],
    ['returns nothing', 'undefined', /third: asking machine source 'third': it did not return machines and warnings/],
  ])('that lists machines and %s is named', async (_, list, says) => {
    await putLink('third', source(list))
    const { stderr, status } = await machines(await configure('sources: [third]\n'))
    expect(stderr).toMatch(says)
    expect(status).toBe(1)
  })

  it('may throw where nobody catches', async () => {
    await putLink('third', `${source(`new Promise((resolve) => { Promise.reject(new Error('stray')); setTimeout(() => { throw new Error('another') }, 1); setTimeout(() => resolve({ machines: [${JSON.stringify(machine)}], warnings: [] }), 200) })`)}`)
    const { stdout, stderr, status } = await machines(await configure('sources: [third]\n'))
    expect({ stderr, status }).toEqual({ stderr: 'guix-offload: warning: plugin third threw an error that it did not catch: stray\n', status: 0 })
    expect(stdout).toContain('b1:2222')
  })
})

const isRoot = process.getuid?.() === 0

describe('what others could have written is not loaded', () => {
  const ran = /^ran$/m
  const loud = 'process.stderr.write("ran\\n"); export default () => {}'

  it.each([
    ['the folder of plugins', () => home, 0o777, /warning: installed plugins are not used: .*everybody may write to it.*chmod go-w \S+plugins$/m],
    ['the index', () => join(home, 'index.json'), 0o664, /warning: installed plugins are not used: .*index\.json.*its group may write to it/],
    ['its folder', () => join(scratch, 'sources/unsafe'), 0o775, /plugin unsafe is left out: .*chmod g-w \S+unsafe$/m],
    ['its folder, though nobody could remove what is there', () => join(scratch, 'sources/unsafe'), 0o1777, /plugin unsafe is left out: .*everybody may write/],
    ['its package.json', () => join(scratch, 'sources/unsafe/package.json'), 0o666, /plugin unsafe is left out: .*chmod go-w \S+package\.json$/m],
    ['a file of something that it depends on', () => join(scratch, 'sources/unsafe/node_modules/deep/lib/index.js'), 0o646, /plugin unsafe is left out: .*chmod o-w \S+lib\/index\.js$/m],
    ['a file that one of its links leads to', () => join(scratch, 'elsewhere/other.js'), 0o666, /plugin unsafe is left out: .*chmod go-w \S+elsewhere\/other\.js$/m],
    ['the packages beside a folder above', () => join(scratch, 'node_modules'), 0o777, /plugin unsafe is left out: .*chmod go-w \S+node_modules$/m],
  ])('%s', async (_, path, mode, says) => {
    const folder = await putLink('unsafe', loud)
    for (const below of ['sources/unsafe/node_modules/deep/lib', 'elsewhere', 'node_modules']) await mkdir(join(scratch, below), { recursive: true })
    await writeFile(join(folder, 'node_modules/deep/lib/index.js'), '')
    await writeFile(join(scratch, 'elsewhere/other.js'), '')
    await symlink('../../elsewhere', join(folder, 'linked'))
    await symlink('hook.js', join(folder, 'alias.js'))
    await symlink('/no/such/file', join(folder, 'dangling'))
    expect((await machines()).stderr).toMatch(ran)
    await chmod(path(), mode)
    const { stderr } = await machines()
    expect(stderr).toMatch(says)
    expect(stderr).not.toMatch(ran)
    expect(stderr.match(/guix-offload: warning: (plugin|installed)/g)).toHaveLength(1)
  })

  it.skipIf(!isRoot)('what belongs to somebody else', async () => {
    const folder = await putLink('unsafe', loud)
    await chown(join(folder, 'hook.js'), 54321, 54321)
    const { stderr } = await machines()
    expect(stderr).toMatch(/plugin unsafe is left out: .*hook\.js: .*belongs to somebody else.*expected root, seen user id 54321\)\. chown root \S+hook\.js/)
    expect(stderr).not.toMatch(ran)
  })
})

describe('plugins', () => {
  it('need nothing written into the home folder', async () => {
    await machines()
    await runCli(['--help'], { environment: environment() })
    expect(await readdir(scratch)).toEqual([])
  })

  it('cost nothing where an index is malformed but a warning', async () => {
    await mkdir(home)
    await writeFile(join(home, 'index.json'), '{}')
    expect((await machines()).stderr).toMatch(/installed plugins are not used: .*index\.json: .*Remove it and install the plugins anew/)
  })
})
