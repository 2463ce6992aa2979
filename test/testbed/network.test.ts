import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBed } from './bed.js'
import { buildDerivation } from './derivations.js'
import { describeOnBed } from './describe-on-bed.js'
import { writeMachinesScm } from './machines-scm.js'
import type { Machine } from './machine.js'

describeOnBed('machines of a bed', () => {
  let bed: TestBed
  let [a, b] = [] as unknown as [Machine, Machine]
  let key = ''
  beforeAll(async () => {
    bed = await TestBed.up({ name: 'network' });
    [a, b] = await Promise.all([
      bed.machine({ name: 'a', maxJobs: 0, daemon: 'unprivileged' }),
      bed.machine({ name: 'b', guix: '1.2.0', sshd: true }),
    ])
    key = await a.installUserKey({ owner: 'root' })
    await a.writeFile('/root/.ssh/known_hosts', `b ${b.hostKey}\n${b.address} ${b.hostKey}\n`)
  })
  afterAll(() => bed.down())

  const ssh = (...args: string[]) => ['ssh', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-i', key, ...args]
  const milliseconds = async (work: () => Promise<unknown>) => {
    const started = performance.now()
    await work()
    return performance.now() - started
  }

  test('reach each other by name over ssh, with the host key the bed tells', async () => {
    expect((await a.run(ssh('b', 'hostname'))).stdout).toBe('b')
  })

  test('see nothing of the outside', async () => {
    expect(await a.sh('ls /sys/class/net')).toBe('eth0\nlo')
    const outside = await a.run(['socat', '-u', 'OPEN:/dev/null', 'TCP:192.0.2.1:80,connect-timeout=2'], { reject: false })
    expect(outside.failed).toBe(true)
  })

  test('offload to each other once they trust each other: the stock hook does', async () => {
    await bed.authorize(a, b)
    await writeMachinesScm(a, [b], { features: ['kvm'] })
    const { log, built, failure } = await buildDerivation(a, { name: 'remote', script: 'echo built remotely | tee $out', features: ['kvm'] })
    expect(failure).toBeUndefined()
    expect(built).toBe(true)
    expect(log).toMatch(/^@ build-remote \S+\.drv b$/m)
    expect(log).toContain('built remotely')
  })

  test('lose each other silently when the cable is cut, and find each other again', async () => {
    const session = a.spawn(ssh('b', 'echo up; cat'), { reject: false, stdin: 'pipe', buffer: true })
    await new Promise((resolve) => session.stdout.once('data', resolve))
    await b.disconnect()
    const lost = await a.run(['socat', '-u', 'OPEN:/dev/null', `TCP:${b.address}:22,connect-timeout=1`], { reject: false })
    expect(lost.stderr).toContain('timed out')
    expect(session.exitCode).toBe(null)
    await b.reconnect()
    session.stdin.end('still the same session\n')
    expect((await session).stdout).toBe('up\nstill the same session')
  })

  test('are far apart through a relay', async () => {
    const near = await milliseconds(() => a.run(['socat', '-u', `TCP:${b.address}:22,readbytes=4`, '-']))
    await using relay = await bed.relay(b, { delayMs: 150 })
    const far = await milliseconds(() => a.run(['socat', '-u', `TCP:${relay.address}:${relay.port},readbytes=4`, '-']))
    expect(far - near).toBeGreaterThan(100)
    const { stdout } = await a.run(ssh('-p', String(relay.port), '-o', 'HostKeyAlias=b', relay.address, 'cat'), { input: 'through the relay' })
    expect(stdout).toBe('through the relay')
  })

  test('have a narrow link when asked to', async () => {
    const copy = () => milliseconds(() => a.sh(`head -c 4000000 /dev/zero | ssh -o BatchMode=yes -i ${key} b 'cat > /dev/null'`))
    await b.limitBandwidth('16mbit')
    const narrow = await copy()
    await b.limitBandwidth(undefined)
    expect(narrow).toBeGreaterThan(1500)
    expect(await copy()).toBeLessThan(narrow)
  })
})
