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
    expect(stderr).toMatch(/warning: plugins in .* are not used: .* can be changed by others/)
  })

  it('need nothing written into the home folder', async () => {
    await machines({ HOME: home })
    await runCli(['--help'], { environment: { HOME: home } })
    expect(await readdir(home)).toEqual([])
  })
})
