import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnBed } from './describe-on-bed.js'

describeOnBed('the command for people', () => {
  const program = fileURLToPath(new URL('cli.ts', import.meta.url))
  let runtime = ''
  beforeAll(async () => {
    runtime = await mkdtemp(join(tmpdir(), 'testbed-cli-'))
  })
  const testbed = (...args: string[]) =>
    execa(process.execPath, ['--import', 'tsx', program, ...args], { env: { XDG_RUNTIME_DIR: runtime }, reject: false })
  afterAll(async () => {
    await testbed('down')
    await rm(runtime, { recursive: true })
  })

  test('keeps a bed running between commands, and ends it', async () => {
    const none = await testbed('list')
    expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('No bed is running') as string })
    const up = await testbed('up', '2')
    expect(up.stderr).toBe('')
    expect(up.stdout).toMatch(/^master\t.*\nbuild1\t/)
    expect((await testbed('list')).stdout).toBe(up.stdout)
    expect((await testbed('up')).stderr).toContain('running already')
    expect(await testbed('exec', 'build1', '--', 'sh', '-c', 'hostname; exit 5')).toMatchObject({ stdout: 'build1', exitCode: 5 })
    expect(await testbed('sh', 'nobody')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there are master, build1') as string })
    expect((await testbed('exec', 'master', 'guix', 'offload', 'status')).exitCode).toBe(0)
    expect((await testbed('down')).exitCode).toBe(0)
    expect((await testbed('list')).exitCode).toBe(1)
  })

  test('explains itself', async () => {
    expect((await testbed()).stdout).toContain('npm run testbed -- up')
    expect(await testbed('fly')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('No command fly') as string })
    expect((await testbed('up', 'many')).stderr).toContain('Not a number of machines: many')
  })
})
