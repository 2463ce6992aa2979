import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBed } from './bed.js'
import { buildDerivation } from './derivations.js'
import { describeOnBed } from './describe-on-bed.js'
import type { Machine } from './machine.js'

describeOnBed('services of a machine', () => {
  let bed: TestBed
  let machine: Machine
  beforeAll(async () => {
    bed = await TestBed.up({ name: 'services' })
    machine = await bed.machine({ name: 'm', sshd: true })
    await machine.installUserKey()
    await machine.writeFile('/root/.ssh/known_hosts', `localhost ${machine.hostKey}\n`)
  })
  afterAll(() => bed.down())

  const running = async (name: string) => (await machine.processes()).filter(({ command }) => command[0]?.includes(name))
  const build = () => buildDerivation(machine, { name: 'x', script: 'echo > $out' }, { offload: false })

  test('the daemon stops, starts with other options, and logs', async () => {
    await machine.daemon.stop()
    expect(await running('guix-daemon')).toEqual([])
    machine.daemon.configure({ maxJobs: 0, hook: '/opt/hook' })
    await machine.writeFile('/opt/hook', '#!/bin/sh\necho "hook called: $*" >&2\nread line\necho "# decline"\n', 0o755)
    await machine.daemon.start()
    const { log, failure } = await buildDerivation(machine, { name: 'nowhere', script: 'echo > $out' })
    expect(log).toMatch(/hook called: offload x86_64-linux|hook called: offload aarch64-linux/)
    expect(failure?.message).toContain('unable to start any build')
    expect(await machine.daemon.log()).toContain('accepted connection')
    machine.daemon.configure({ maxJobs: 1, hook: undefined })
    await machine.daemon.restart()
    expect((await build()).built).toBe(true)
  })

  test('a killed daemon takes its builds along and starts again', async () => {
    let building: Promise<unknown> = Promise.resolve()
    await new Promise<void>((resolve) => {
      const onLog = (text: string) => (text.includes('started') ? resolve() : undefined)
      building = buildDerivation(machine, { name: 'endless', script: 'echo started; sleep 1000' }, { offload: false, onLog }).catch(() => {})
    })
    await machine.daemon.kill()
    await building
    await expect.poll(() => running('sleep'), { timeout: 20_000 }).toEqual([])
    expect(machine.daemon.running).toBe(false)
    await machine.daemon.start()
    expect((await build()).built).toBe(true)
  })

  test('a suspended sshd accepts and says nothing, until it goes on', async () => {
    await machine.sshd.pause()
    const greeting = machine.spawn(['socat', '-u', 'TCP:localhost:22,readbytes=4', '-'], { reject: false })
    const first = await Promise.race([greeting.then(() => 'greeted'), new Promise((resolve) => setTimeout(resolve, 500, 'silence'))])
    expect(first).toBe('silence')
    await machine.sshd.resume()
    expect((await greeting).stdout).toBe('SSH-')
  })

  test('sshd takes other settings', async () => {
    await machine.startSshd({ port: 2222, config: ['AllowStreamLocalForwarding no', 'ForceCommand echo forced'] })
    expect((await machine.run(['ssh', '-p', '2222', '-o', 'HostKeyAlias=localhost', 'localhost', 'hostname'])).stdout).toBe('forced')
    expect((await machine.run(['ssh', 'localhost', 'hostname'], { reject: false })).failed).toBe(true)
  })

  test('a signal reaches the program a command started, and an abort ends it', async () => {
    const trapping = machine.spawn(['sh', '-c', 'trap "echo interrupted; exit 3" INT; echo ready; while :; do sleep 0.05; done'], { reject: false })
    await new Promise((resolve) => trapping.stdout.once('data', resolve))
    await machine.signal(trapping, 'SIGINT')
    expect(await trapping).toMatchObject({ exitCode: 3, stdout: 'ready\ninterrupted' })
    for (const user of ['root', 'alice', 'guix-daemon'] as const) {
      const abort = new AbortController()
      const sleeping = machine.run(['sleep', '1000'], { user, signal: abort.signal })
      await expect.poll(() => running('sleep')).toHaveLength(1)
      abort.abort()
      await expect(sleeping).rejects.toThrow()
      await expect.poll(() => running('sleep')).toEqual([])
    }
  })

  test('the host reaches the daemon socket', async () => {
    const { connect } = await import('node:net')
    const socket = connect(machine.daemon.hostSocketPath)
    const hello = Buffer.alloc(8)
    hello.writeUInt32LE(0x6e697863)
    socket.write(hello)
    const answer = await new Promise<Buffer>((resolve, reject) => socket.once('data', resolve).once('error', reject))
    expect(answer.readUInt32LE(0)).toBe(0x6478696f)
    socket.destroy()
  })

  test('a machine switched off is gone, with all that ran on it', async () => {
    const other = await bed.machine({ name: 'other' })
    const pid = other.daemon.pid
    const waiting = other.run(['sleep', '1000'], { reject: false })
    await other.powerOff()
    expect((await waiting).failed).toBe(true)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })
})
