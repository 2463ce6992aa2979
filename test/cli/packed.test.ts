import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCli } from './run-cli.js'

let prefix: string
let program: string

beforeAll(() => {
  prefix = mkdtempSync(join(tmpdir(), 'cli-prefix-'))
  execFileSync('npm', ['install', '--global', '--no-audit', '--no-fund', '--prefix', prefix, inject('tarball')], { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  program = join(prefix, 'bin', 'guix-offload')
}, 300_000)
afterAll(() => rmSync(prefix, { recursive: true, force: true }))

const packed = () => execFileSync('tar', ['-tzf', inject('tarball')], { encoding: 'utf8' }).trim().split('\n')

describe('the packed package', () => {
  it('starts without environment or home', async () => {
    expect(await runCli(['--version'], { program })).toMatchObject({ status: 0, stderr: '' })
    expect(await runCli(['--version'], { program, environment: { HOME: '/var/empty' } })).toMatchObject({ status: 0, stderr: '' })
  })

  it('has its commands and those of its plugins', async () => {
    const { status, stdout } = await runCli(['--help'], { program })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^ {2}machines /m)
  })

  it('carries the plugins, with a manifest each, and neither what was compiled on this machine nor what only a build needs', () => {
    const paths = packed()
    for (const plugin of ['machines-dns-sd', 'machines-scm', 'scheduler-guix', 'scheduler-least-loaded', 'scheduler-locality', 'transport-lsh', 'transport-openssh', 'transport-ssh2']) {
      expect(paths).toContain(`package/node_modules/@guix-offload/${plugin}/dist/contribute.js`)
      expect(paths).toContain(`package/node_modules/@guix-offload/${plugin}/oclif.manifest.json`)
    }
    expect(paths).toContain('package/oclif.manifest.json')
    expect(paths.filter((path) => /\.node$|\.tsbuildinfo$|\.map$|\/(src|test)\/.*\.ts$|\/build\//.test(path))).toEqual([])
  })

  it('leaves no manifest in the checkout, where it would hide new commands', () => {
    const left = execFileSync('find', ['.', '-name', 'oclif.manifest.json', '-not', '-path', './node_modules/*'], { encoding: 'utf8' })
    expect(left).toBe('')
  })

  it.skipIf(process.getuid?.() !== 0)('runs for a user who is in no passwd file', async () => {
    execFileSync('chmod', ['-R', 'go+rX', prefix])
    const { status, stdout, stderr } = await runCli(['--reuid', '54321', '--regid', '54321', '--clear-groups', program, '--version'], { program: '/usr/bin/setpriv' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^guix-offload\//)
  })
})
