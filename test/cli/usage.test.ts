import { describe, expect, it } from 'vitest'
import { runCli } from './run-cli.js'

describe('the program', () => {
  it('says its version', async () => {
    const { status, stdout, stderr } = await runCli(['--version'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^guix-offload\/\d+\.\d+\.\d+ /)
  })

  it.each([[[]], [['help']], [['--help']]])('lists its commands: %j', async (words) => {
    const { status, stdout } = await runCli(words)
    expect(status).toBe(0)
    for (const command of ['explain', 'history', 'machines', 'offload', 'provenance', 'setup', 'status', 'test']) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  it('explains a command', async () => {
    const { status, stdout } = await runCli(['setup', '--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('--dry-run')
    expect(stdout).toContain('--undo')
  })

  it.each([
    [['frobnicate'], /frobnicate not found/],
    [['setup', '--frob'], /--frob/],
    [['machines', 'a', 'b'], /Unexpected argument: b/],
    [['test', 'a', 'b', 'c'], /Unexpected argument: c/],
    [['machines', 'disable'], /Missing 1 required arg/],
    [['machines', 'drain', '--for'], /--for/],
  ])('exits with 2 when it is called wrongly: %j', async (words, message) => {
    const { status, stdout, stderr } = await runCli(words)
    expect(stderr).toMatch(message)
    expect(stdout).not.toMatch(/error/i)
    expect(status).toBe(2)
  })

  it('has commands below a command that takes a file', async () => {
    const { stdout } = await runCli(['machines', '--help'])
    expect(stdout).toMatch(/machines \[FILE\]/)
    for (const command of ['disable', 'drain', 'enable']) expect(stdout).toMatch(new RegExp(`^  machines ${command} `, 'm'))
    expect((await runCli(['machines', 'enable', '--help'])).stdout).toMatch(/machines enable NAME\.\.\./)
  })

  it('exits with 2 and an error in JSON where JSON is asked for', async () => {
    const { status, stdout } = await runCli(['test', '--json', 'a', 'b', 'c'])
    expect(status).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage' } })
  })

  it.each([{}, { HOME: '/var/empty' }, { HOME: '/no/such/folder' }])('does without a home: %j', async (environment) => {
    expect(await runCli(['--version'], { environment })).toMatchObject({ status: 0, stderr: '' })
  })

  it('prints no colours into a pipe', async () => {
    const { stdout, stderr } = await runCli(['machines', '/no/such/file'])
    expect(stdout + stderr).not.toContain('\u001b')
  })
})
