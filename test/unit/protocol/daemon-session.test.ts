import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InternalError, MachineError, ProtocolError } from '../../../src/errors/offload-error.js'
import { DaemonError } from '../../../src/protocol/daemon-error.js'
import { DaemonSession } from '../../../src/protocol/daemon-session.js'
import { chunks, conversations, type Conversation, derivation } from '../../support/conversations.js'
import {
  error,
  every,
  greeted,
  hello,
  helloBack,
  int,
  join,
  last,
  list,
  next,
  read,
  ScriptedDaemon,
  type Step,
  str,
  write,
} from '../../support/daemon-script.js'

const item = '/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-item'

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => expect.fail(`resolved to ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
}

async function converse(
  conversation: Conversation,
  split?: (bytes: Uint8Array) => Uint8Array[],
): Promise<{ result: unknown; daemon: ScriptedDaemon }> {
  const daemon = new ScriptedDaemon([...greeted(), ...conversation.steps], split)
  const session = await DaemonSession.open(daemon)
  return { result: await conversation.run(session), daemon }
}

/** What the daemon sends in a conversation, cut off after `length` bytes. */
function cut(steps: readonly Step[], length: number): Step[] {
  const kept: Step[] = []
  let left = length
  for (const step of steps) {
    if (!('send' in step)) kept.push(step)
    else if (step.send.length <= left) {
      kept.push(step)
      left -= step.send.length
    } else {
      kept.push({ send: step.send.subarray(0, left) })
      break
    }
  }
  return kept
}

const sentBytes = (steps: readonly Step[]): number => steps.reduce((sum, step) => sum + ('send' in step ? step.send.length : 0), 0)

describe('greeting', () => {
  it.each([0x163, 0x164, 0x165])('accepts version 0x%s', async (version) => {
    const session = await DaemonSession.open(new ScriptedDaemon(greeted(version)))
    expect(session.daemonVersion).toBe(version)
    expect(session.usable).toBe(true)
  })

  it.each([0x162, 0x263, 0x63])('refuses version 0x%s, closing the channel', async (version) => {
    const daemon = new ScriptedDaemon(greeted(version))
    const reason = await failure(DaemonSession.open(daemon))
    expect(reason).toMatchObject({ code: 'unsupported-protocol-version', report: { seen: `0x${version.toString(16)}` } })
    expect(daemon.closed).toBe(true)
  })

  it('refuses another protocol', async () => {
    const daemon = new ScriptedDaemon([{ expect: hello }, { send: Buffer.from('SSH-2.0-OpenSSH_9.9\r\n') }])
    expect(await failure(DaemonSession.open(daemon))).toBeInstanceOf(ProtocolError)
  })

  it('reports an early error that comes without status', async () => {
    const daemon = new ScriptedDaemon([{ expect: hello }, { send: join(int(0x6478696f), int(0x164), error('schema version 12')) }, { end: true }])
    expect(await failure(DaemonSession.open(daemon))).toMatchObject({ code: 'daemon-error', text: 'schema version 12', status: 1 })
  })

  it('passes on what the daemon logs meanwhile', async () => {
    const seen: string[] = []
    const daemon = new ScriptedDaemon([{ expect: hello }, { send: join(int(0x6478696f), int(0x164), next('waiting for the big lock\n'), last()) }])
    await DaemonSession.open(daemon, { onLog: (bytes) => void seen.push(Buffer.from(bytes).toString()) })
    expect(seen.join('')).toBe('waiting for the big lock\n')
  })
})

describe.each(conversations)('$name', (conversation) => {
  it('is asked and answered', async () => {
    const { result, daemon } = await converse(conversation)
    expect(result).toEqual(conversation.result)
    expect(daemon.finished).toBe(true)
  })

  it.each([1, 3, 7, 8, 9, 24])('is understood in pieces of %i bytes', async (size) => {
    expect((await converse(conversation, every(size))).result).toEqual(conversation.result)
  })

  it('is understood however it is split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (sizes) => {
        let turn = 0
        const split = (bytes: Uint8Array): Uint8Array[] => {
          const pieces: Uint8Array[] = []
          for (let at = 0; at < bytes.length;) {
            const size = sizes[turn++ % sizes.length] ?? 1
            pieces.push(bytes.subarray(at, at + size))
            at += size
          }
          return pieces
        }
        expect((await converse(conversation, split)).result).toEqual(conversation.result)
      }),
      { numRuns: 30 },
    )
  })

  it('fails wherever the connection ends, and stays failed', async () => {
    for (let length = 0; length < sentBytes(conversation.steps); length += 1) {
      const daemon = new ScriptedDaemon([...greeted(), ...cut(conversation.steps, length), { end: true }])
      const session = await DaemonSession.open(daemon)
      expect(await failure(conversation.run(session)), `cut after ${length} bytes`).toMatchObject({
        fault: 'machine',
        code: 'daemon-connection-lost',
      })
      expect(daemon.closed).toBe(true)
      expect(session.usable).toBe(false)
      expect(await failure(session.isValidPath(item))).toMatchObject({ code: 'daemon-connection-closed' })
    }
  })

  it('fails wherever the connection breaks', async () => {
    for (let length = 0; length < sentBytes(conversation.steps); length += 8) {
      const broken = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })
      const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...cut(conversation.steps, length), { broken }]))
      expect(await failure(conversation.run(session))).toMatchObject({ code: 'daemon-connection-lost', cause: broken })
    }
  })

  it('is ended by the abort wherever it is, and the channel closed', async () => {
    for (let length = 0; length < sentBytes(conversation.steps); length += 4) {
      const controller = new AbortController()
      const reason = new Error('the client went away')
      const daemon = new ScriptedDaemon([...greeted(), ...cut(conversation.steps, length)])
      const session = await DaemonSession.open(daemon, { signal: controller.signal })
      const running = failure(conversation.run(session))
      setImmediate(() => controller.abort(reason))
      expect(await running).toBe(reason)
      expect(daemon.closed).toBe(true)
      expect(await failure(session.isValidPath(item))).toBe(reason)
    }
  })

  it('is refused with text and status', async () => {
    const [request] = conversation.steps
    if (request === undefined) throw new Error('a conversation without request')
    const text = 'first line\n\u001b[1msecond\u001b[0m line'
    const daemon = new ScriptedDaemon([...greeted(), request, { send: error(text, 1) }])
    const session = await DaemonSession.open(daemon)
    const reason = await failure(conversation.run(session))
    expect(reason).toBeInstanceOf(DaemonError)
    expect(reason).toMatchObject({ text, status: 1, report: { problem: 'first line second line' } })
    expect(daemon.closed).toBe(true)
  })

  it('is refused without status when the daemon then hangs up', async () => {
    const [request] = conversation.steps
    if (request === undefined) throw new Error('a conversation without request')
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), request, { send: error('no such thing') }, { end: true }]))
    expect(await failure(conversation.run(session))).toMatchObject({ text: 'no such thing', status: 1 })
  })
})

describe('one request at a time', () => {
  it('refuses a second one and lets the first one finish', async () => {
    const daemon = new ScriptedDaemon([...greeted(), { expect: join(int(1), str(item)) }, { send: join(last(), int(1)) }])
    const session = await DaemonSession.open(daemon)
    const first = session.isValidPath(item)
    expect(await failure(session.addTempRoot(item))).toBeInstanceOf(InternalError)
    expect(await first).toBe(true)
    expect(session.usable).toBe(true)
  })

  it('serves many in a row', async () => {
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), ...conversations.flatMap(({ steps }) => steps)], every(5)))
    for (const conversation of conversations) expect(await conversation.run(session)).toEqual(conversation.result)
  })

  it('keeps the first of two errors', async () => {
    const session = await DaemonSession.open(
      new ScriptedDaemon([...greeted(), { expect: int(27) }, { send: join(error('first', 1), error('second', 1)) }]),
    )
    expect(await failure(session.importPaths(chunks(Buffer.from('x'), 1)))).toMatchObject({ text: 'first' })
    const later = await failure(session.queryValidPaths([item]))
    expect(later).toMatchObject({ code: 'daemon-connection-closed', cause: { text: 'first' } })
  })

  it('close interrupts what runs', async () => {
    const daemon = new ScriptedDaemon([...greeted(), { expect: join(int(9), list([derivation]), int(0)) }])
    const session = await DaemonSession.open(daemon)
    const building = failure(session.buildPaths(derivation))
    session.close()
    session.close()
    expect(await building).toMatchObject({ code: 'daemon-connection-closed' })
    expect(daemon.closed).toBe(true)
  })

  it('does not begin when it is aborted already', async () => {
    const daemon = new ScriptedDaemon(greeted())
    const reason = new Error('too late')
    expect(await failure(DaemonSession.open(daemon, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(daemon.closed).toBe(true)
  })
})

describe('what a daemon must not do', () => {
  const request = { expect: join(int(31), list([item])) }
  const ask = (session: DaemonSession): Promise<unknown> => session.queryValidPaths([item])
  const huge = 2n ** 62n
  it.each<[string, Buffer]>([
    ['unknown frame', join(int(0x1234), last(), list([]))],
    ['a log frame of 4 EiB', join(int(0x6f6c6d67), int(huge))],
    ['a data frame of 4 EiB', join(int(0x64617416), int(huge))],
    ['a data frame just above the ceiling', join(int(0x64617416), int(64 * 1024 * 1024 + 1))],
    ['an error text of 4 EiB', join(int(0x63787470), int(huge))],
    ['an error text just above the ceiling', join(int(0x63787470), int(1024 * 1024 + 1))],
    ['a status of 4 EiB', join(error('text'), int(huge))],
    ['a list of 4 EiB', join(last(), int(huge))],
    ['a list just above the ceiling', join(last(), int(4_000_001))],
    ['a path of 4 EiB', join(last(), int(1), int(huge))],
    ['a path just above the ceiling', join(last(), int(1), int(4097))],
    ['data nobody asked for', join(write('bytes'), last(), list([]))],
    ['asking for data nobody offered', read(32768)],
    ['padding that is not zero', join(int(0x6f6c6d67), int(1), Buffer.from('aaaaaaaa'), last(), list([]))],
    ['a reply that is too long', join(last(), list([]), int(0))],
    ['a path nobody asked about', join(last(), list(['/gnu/store/00000000000000000000000000000000-other']))],
  ])('%s', async (_name, bytes) => {
    const daemon = new ScriptedDaemon([...greeted(), request, { send: bytes }])
    const session = await DaemonSession.open(daemon)
    expect(await failure(ask(session))).toMatchObject({ fault: 'protocol', code: 'malformed-data' })
    expect(daemon.closed).toBe(true)
  })

  it.each<[string, Buffer]>([
    ['asking for no bytes', read(0)],
    ['talking on after asking for data', join(read(5), next('by the way'))],
  ])('%s', async (_name, bytes) => {
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), { expect: int(27) }, { send: bytes }]))
    expect(await failure(session.importPaths(chunks(Buffer.from('bundle'), 2)))).toMatchObject({ fault: 'protocol', code: 'malformed-data' })
  })

  it('speaking unasked, between two requests', async () => {
    const daemon = new ScriptedDaemon([{ expect: hello }, { send: join(helloBack(), next('hello?')) }])
    expect(await failure(DaemonSession.open(daemon))).toMatchObject({ fault: 'protocol' })
  })

  it.each([2, 0])('answering %i where there is only 1', async (value) => {
    const session = await DaemonSession.open(
      new ScriptedDaemon([...greeted(), { expect: join(int(11), str(item)) }, { send: join(last(), int(value)) }]),
    )
    expect(await failure(session.addTempRoot(item))).toMatchObject({ fault: 'protocol' })
  })

  it('answering with a boolean that is none', async () => {
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), { expect: join(int(1), str(item)) }, { send: join(last(), int(2)) }]))
    expect(await failure(session.isValidPath(item))).toBeInstanceOf(ProtocolError)
  })

  it('giving a hash that is none', async () => {
    const reply = join(last(), str(''), str('sha256:abc'), list([]), int(0), int(0))
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), { expect: join(int(26), str(item)) }, { send: reply }]))
    expect(await failure(session.queryPathInfo(item))).toMatchObject({ fault: 'protocol' })
  })

  it('failing by a MachineError that a transport made is passed on as it is', async () => {
    const broken = new MachineError({ code: 'connection-lost', step: 'using the connection', problem: 'no answer to keep-alives', machine: 'b1' })
    const session = await DaemonSession.open(new ScriptedDaemon([...greeted(), request, { broken }]))
    expect(await failure(ask(session))).toBe(broken)
  })
})
