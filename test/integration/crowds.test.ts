/** Many clients of one guix-daemon at the same time: its first ones, and more than it lets wait. */
import { createConnection } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MachineError } from '../../src/errors/offload-error.js'
import { LocalDaemon } from '../../src/local-store/local-daemon.js'
import { openRemoteStore } from '../../src/remote-store/open-remote-store.js'
import { fillQueue } from '../support/full-queue.js'
import { machineConnection } from '../support/machine-connection.js'
import { TestBed } from '../testbed/bed.js'
import type { Machine } from '../testbed/machine.js'

let bed: TestBed
beforeAll(async () => void (bed = await TestBed.up({ name: 'crowds' })))
afterAll(() => bed.down())

const many = Array.from({ length: 12 })

describe.each(['1.5.0', '1.2.0'] as const)('Guix %s', (guix) => {
  let machine: Machine
  beforeAll(async () => void (machine = await bed.machine({ name: `m${guix.replaceAll('.', '')}`, guix, daemon: 'root' })))
  afterEach(() => machine.daemon.resume())

  it('lets all of its first clients in, who make its folders and its database together', async () => {
    // Each time one or two of them meet what another one is making.
    for (let round = 0; round < 15; round += 1) {
      await machine.daemon.stop()
      await machine.run(['rm', '-rf', '/var/guix/db', '/var/guix/gcroots', '/var/guix/temproots', '/var/guix/profiles'])
      await machine.daemon.start()
      const outcomes = await Promise.allSettled(many.map(() => LocalDaemon.open(machine.daemon.hostSocketPath)))
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.close()
      expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
    }
  })

  it('has us wait for our turn where the queue of its clients is full, here', async () => {
    await machine.daemon.pause()
    const waiting = await fillQueue(machine.daemon.hostSocketPath)
    const opening = Promise.all(many.map(() => LocalDaemon.open(machine.daemon.hostSocketPath)))
    await expect(Promise.race([opening, new Promise((resolve) => setTimeout(resolve, 200, 'waiting'))])).resolves.toBe('waiting')
    await machine.daemon.resume()
    for (const socket of waiting) socket.destroy()
    for (const daemon of await opening) daemon.close()
  })

  it('and on a build machine, where sshd does not wait: the way is not given up for it', async () => {
    await machine.daemon.pause()
    const waiting = await fillQueue(machine.daemon.hostSocketPath)
    const remembered: string[] = []
    const refusals: unknown[] = []
    const connection = machineConnection(machine)
    const store = await openRemoteStore({
      ...connection,
      async openSocket(path, context) {
        const probe = createConnection(machine.daemon.hostSocketPath)
        const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => probe.once('connect', () => resolve(undefined)).once('error', resolve))
        probe.destroy()
        if (failure === undefined) return connection.openSocket?.(path, context) as never
        refusals.push(failure.code)
        await machine.daemon.resume()
        for (const socket of waiting) socket.destroy()
        throw new MachineError({ code: 'forwarding-refused', step: 'opening the socket', problem: 'open failed' }, 'later')
      },
    }, {
      signal: new AbortController().signal,
      memory: { recall: () => Promise.resolve(undefined), remember: (_machine, rung) => Promise.resolve(void remembered.push(rung)), forget: () => Promise.resolve() },
    })
    await store.close()
    expect(refusals[0]).toBe('EAGAIN')
    expect(remembered).toEqual(['socket'])
  })
})
