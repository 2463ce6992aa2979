import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InternalError } from '../../../src/errors/offload-error.js'
import { DaemonSession } from '../../../src/protocol/daemon-session.js'
import { SourceReader } from '../../../src/protocol/source-reader.js'
import { chunks, derivation } from '../../support/conversations.js'
import { error, every, greeted, int, join, last, list, next, read, ScriptedDaemon, type Step, str, write } from '../../support/daemon-script.js'

const item = '/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-item'
const exporting: Step = { expect: join(int(16), str(item), int(1)) }

describe('data of an export', () => {
  it('is passed on in pieces when a frame is larger than what has arrived', async () => {
    const frame = Buffer.alloc(1024 * 1024, 'abcdefg')
    const session = await DaemonSession.open(
      new ScriptedDaemon([...greeted(), exporting, { send: join(write(frame), last(), int(1)) }], every(16 * 1024)),
    )
    const sizes: number[] = []
    const got: Buffer[] = []
    await session.exportPath(item, (bytes) => {
      sizes.push(bytes.length)
      got.push(Buffer.from(bytes))
    })
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16 * 1024)
    expect(Buffer.concat(got).equals(frame)).toBe(true)
  })

  it('of many small frames is passed on together', async () => {
    const frames = Array.from({ length: 1000 }, (_, index) => write(String(index)))
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), exporting, { send: join(...frames, last(), int(1)) }]))
    const got: string[] = []
    await session.exportPath(item, (bytes) => void got.push(Buffer.from(bytes).toString()))
    expect(got).toEqual([Array.from({ length: 1000 }, (_, index) => String(index)).join('')])
  })

  it('is not read while the consumer is busy', async () => {
    const daemon = new ScriptedDaemon(
      [...greeted(), exporting, { send: join(write(Buffer.alloc(4096)), write(Buffer.alloc(4096)), last(), int(1)) }],
      every(1024),
    )
    const session = await DaemonSession.open(daemon)
    let release: (() => void) | undefined
    let deliveries = 0
    const done = session.exportPath(item, () => {
      deliveries += 1
      return new Promise<void>((resolve) => (release = resolve))
    })
    while (deliveries === 0) await turn()
    const reads = daemon.reads
    for (let count = 0; count < 20; count += 1) await turn()
    expect(daemon.reads).toBe(reads)
    expect(deliveries).toBe(1)
    for (let finished = false; !finished;) {
      release?.()
      finished = await Promise.race([done.then(() => true), turn(false)])
    }
    expect(daemon.finished).toBe(true)
  })

  it('ends when the consumer fails, with its error, and closes the channel', async () => {
    const daemon = new ScriptedDaemon([...greeted(), exporting, { send: join(write('data'), last(), int(1)) }])
    const session = await DaemonSession.open(daemon)
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
    await expect(session.exportPath(item, () => Promise.reject(full))).rejects.toBe(full)
    expect(daemon.closed).toBe(true)
  })

  it('ends at the abort even if the consumer never returns', async () => {
    const controller = new AbortController()
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), exporting, { send: write('data') }]), { signal: controller.signal })
    const reason = new Error('enough')
    const done = session.exportPath(item, () => {
      setImmediate(() => controller.abort(reason))
      return new Promise(() => undefined)
    })
    await expect(done).rejects.toBe(reason)
  })
})

describe('the log of a build', () => {
  it('holds the daemon back while its reader is busy', async () => {
    const lines = Array.from({ length: 50 }, (_, index) => next(`line ${index}\n`))
    const daemon = new ScriptedDaemon(
      [...greeted(), { expect: join(int(9), list([derivation]), int(0)) }, { send: join(...lines, last(), int(1)) }],
      every(32),
    )
    const session = await DaemonSession.open(daemon)
    let active = 0
    let text = ''
    await session.buildPaths(derivation, async (bytes) => {
      active += 1
      expect(active).toBe(1)
      const reads = daemon.reads
      await turn()
      expect(daemon.reads).toBe(reads)
      text += Buffer.from(bytes).toString()
      active -= 1
    })
    expect(text).toBe(Array.from({ length: 50 }, (_, index) => `line ${index}\n`).join(''))
  })
})

describe('answers to the daemon', () => {
  const importing = (asked: readonly number[], got: Buffer[], end: Buffer): Step[] => [
    { expect: int(27) },
    ...asked.flatMap<Step>((max) => [
      { send: read(max) },
      {
        answer: (data) => {
          if (data.length > max) throw new Error('more than was asked for')
          got.push(Buffer.from(data))
        },
      },
    ]),
    { send: end },
  ]

  it('give no more than was asked for and nothing out of order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        async (bytes, size, max) => {
          const got: Buffer[] = []
          const asked = Array.from({ length: Math.ceil(bytes.length / max) }, () => max)
          const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...importing(asked, got, join(last(), list([item])))], every(7)))
          expect(await session.importPaths(chunks(bytes, size))).toEqual([item])
          expect(Buffer.concat(got).equals(bytes)).toBe(true)
          // Each answer is as full as it can be: a round trip is dear.
          expect(got.slice(0, -1).every((answer) => answer.length === max)).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('are bounded, however much the daemon asks for', async () => {
    const got: Buffer[] = []
    const bundle = Buffer.alloc(3 * 1024 * 1024, 1)
    const steps = importing([0, 0, 0], got, join(last(), list([item]))).map((step) =>
      'send' in step && step.send.length === 16 ? { send: read(2n ** 50n) } : step,
    )
    const unchecked = steps.map((step) => ('answer' in step ? { answer: (data: Buffer) => void got.push(Buffer.from(data)) } : step))
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...unchecked]))
    await session.importPaths(chunks(bundle, 64 * 1024))
    expect(got.map((data) => data.length)).toEqual([1024 * 1024, 1024 * 1024, 1024 * 1024])
  })

  it('are our mistake when there is nothing left', async () => {
    const daemon = new ScriptedDaemon([...greeted(), ...importing([100], [], read(100))])
    const session = await DaemonSession.open(daemon)
    await expect(session.importPaths(chunks(Buffer.from('short'), 2))).rejects.toBeInstanceOf(InternalError)
    expect(daemon.closed).toBe(true)
  })

  it('end with the error of their source', async () => {
    const unreadable = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' })
    const daemon = new ScriptedDaemon([...greeted(), ...importing([4, 4], [], last())])
    const session = await DaemonSession.open(daemon)
    const bundle = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('good')
      throw unreadable
    }
    await expect(session.importPaths(bundle())).rejects.toBe(unreadable)
    expect(daemon.closed).toBe(true)
  })

  it('let their source clean up, when the daemon refuses and when it is done', async () => {
    for (const end of [error('no', 1), join(last(), list([item]))]) {
      let cleaned = false
      const bundle = async function* (): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield Buffer.from('more')
        } finally {
          cleaned = true
        }
      }
      const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...importing([4], [], end)]))
      await session.importPaths(bundle()).catch(() => undefined)
      await turn()
      expect(cleaned).toBe(true)
    }
  })

  it('do not keep the abort waiting for a source that is stuck', async () => {
    const controller = new AbortController()
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...importing([4], [], last())]), { signal: controller.signal })
    const bundle = async function* (): AsyncGenerator<Uint8Array> {
      setImmediate(() => controller.abort(new Error('enough')))
      await new Promise(() => undefined)
      yield Buffer.alloc(1)
    }
    await expect(session.importPaths(bundle())).rejects.toThrow('enough')
  })
})

describe('SourceReader', () => {
  it('passes over empty chunks and ends with nothing, again and again', async () => {
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield* [Buffer.alloc(0), Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c'), Buffer.alloc(0)]
    }
    const reader = new SourceReader(source())
    expect(Buffer.from(await reader.read(10)).toString()).toBe('abc')
    expect((await reader.read(10)).length).toBe(0)
    expect((await reader.read(10)).length).toBe(0)
  })
})
