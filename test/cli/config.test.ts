import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'))
  chmodSync(folder, 0o755)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const config = (words: readonly string[] = [], variables: Record<string, string> = {}) =>
  runCli(['config', ...words], { environment: { GUIX_CONFIGURATION_DIRECTORY: folder, NIX_STORE_DIR: folder, ...variables } })
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o644 })
  return join(folder, name)
}
const machines = '(list (build-machine (name "far-1") (systems (list "x86_64-linux")) (user "u") (host-key "ssh-ed25519 AAAA")))'

describe('config', () => {
  it('shows the defaults where there is no file, one line each', async () => {
    const { status, stdout, stderr } = await config()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const rows = stdout.trim().split('\n').map((line) => line.split('\t'))
    expect(rows).toContainEqual(['transport', 'ssh2', 'default'])
    expect(rows).toContainEqual(['minimumFreeSpace', '100MiB', 'default'])
    expect(rows.every(([, , origin]) => origin === 'default')).toBe(true)
  })

  it('shows what the file and the environment say, with the places, and which machines it is about', async () => {
    write('machines.scm', machines)
    const file = write('offload.yaml', 'timeouts: { stall: 90s }\nmachines:\n  "far-*": { transport: lsh }\n  gone: {}\nplugins: { machines-scm: { guixTimeout: 5 } }\n')
    const { status, stdout, stderr } = await config([], { GUIX_OFFLOAD_TRANSPORT: 'openssh' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: `guix-offload: warning: ${file}:4:3: machines.gone: no machine has a name like that\n` })
    const rows = stdout.trim().split('\n').map((line) => line.split('\t'))
    for (const row of [
      ['transport', 'openssh', 'GUIX_OFFLOAD_TRANSPORT'],
      ['timeouts.stall', '90s', `${file}:1:13`],
      ['machines."far-*".transport', 'lsh', `${file}:3:14`],
      ['plugins.machines-scm.guixTimeout', '5', `${file}:5:28`],
      ['machines."far-*"', 'for far-1:22', `${file}:3:3`],
    ]) expect(rows).toContainEqual(row)
    const json = JSON.parse((await config(['--json'])).stdout) as { values: { key: string }[] }
    expect(json).toMatchObject({ file, machines: [{ pattern: 'far-*', machines: ['far-1:22'], origin: { kind: 'file', file, line: 3, column: 3 } }, { machines: [] }], warnings: [{ code: 'no-machine-matches' }] })
    expect(json.values.find(({ key }) => key === 'timeouts.stall')).toEqual({
      key: 'timeouts.stall', path: ['timeouts', 'stall'], value: 90, text: '90s', origin: { kind: 'file', file, line: 1, column: 13 },
    })
  })

  it('fails for what no plugin brings, and shows the rest all the same', async () => {
    const file = write('offload.yaml', 'scheduler: gux\nplugins: { shs2: {} }\n')
    const { status, stdout, stderr } = await config()
    expect(status).toBe(1)
    expect(stdout).toContain(`scheduler\tgux\t${file}:1:1\n`)
    expect(stderr.split('\n')).toEqual([
      `guix-offload: warning: ${file}:1:1: no plugin brings a scheduling strategy 'gux'; did you mean 'guix'?`,
      `guix-offload: warning: ${file}:2:12: no plugin brings a contribution 'shs2'; did you mean 'ssh2'?`, '',
    ])
  })

  it('refuses unknown keys, with their place and what was meant', async () => {
    const file = write('offload.json', '{\n  "transprt": "ssh2",\n  "timeouts": { "connect": 10 }\n}')
    const { status, stdout, stderr } = await config()
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^guix-offload: error: ${file}:\\d+:\\d+: `))
    expect(stderr).toMatch(/2:3/)
    expect(stderr).toMatch(/3:17/)
  })

  it('refuses a file that others can write to', async () => {
    chmodSync(write('offload.yaml', 'transport: ssh2\n'), 0o666)
    expect(await config()).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/everybody may write to it.*chmod go-w/) as string })
  })

  it('shows nothing that may be a secret, though machines cannot be listed', async () => {
    write('machines.scm', '(list')
    write('offload.yaml', 'machines: { b1: {} }\nplugins: { machines-scm: { token: hunter2 } }\n')
    for (const words of [[], ['--json']]) {
      const { stdout, stderr } = await config(words)
      expect(stdout).toContain('not shown')
      expect(stderr).toMatch(/the machines cannot be listed: /)
      expect(stdout + stderr).not.toContain('hunter2')
    }
  })
})
