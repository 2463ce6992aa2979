import { describe, expect, it } from 'vitest'
import { runCli } from './run-cli.js'

const system = 'x86_64-linux'

describe('the hook', () => {
  it.each([
    [[], /seen nothing/],
    [[system, '3600', 'true'], /PRINT-BUILD-TRACE/],
    [[system, '3600', 'yes', '0'], /PRINT-BUILD-TRACE.*"yes"/],
    [[system, 'soon', 'true', '0'], /MAX-SILENT-TIME.*"soon"/],
    [[system, '3600', 'true', '-1'], /BUILD-TIMEOUT.*"-1"/],
    [['x86 64', '3600', 'true', '0'], /SYSTEM/],
    [[system, '3600', 'true', '0', 'more'], /more/],
  ])('says what is wrong with its arguments: %j', async (words, message) => {
    const { status, stdout, stderr } = await runCli(['offload', ...words], { input: `0 ${system} /gnu/store/x.drv \n` })
    expect(status).toBe(1)
    expect(stderr).toMatch(message)
    expect(stdout).toBe('')
  })

  it.each(['true', 'false', '1', '0'])('takes %s for PRINT-BUILD-TRACE, and the end of the requests for success', async (trace) => {
    expect(await runCli(['offload', system, '3600', trace, '0'])).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it('says what it is, as the one of Guix does', async () => {
    expect(await runCli(['offload', '--version'])).toEqual({ status: 0, stdout: expect.stringMatching(/^guix-offload \d+\.\d+\.\d+\n$/) as string, stderr: '' })
  })

  it('refuses a request that it does not understand', async () => {
    const { status, stdout, stderr } = await runCli(['offload', system, '0', 'true', '0'], { input: 'hello\n' })
    expect(status).toBe(1)
    expect(stderr).toMatch(/"hello"/)
    expect(stdout).toBe('')
  })
})
