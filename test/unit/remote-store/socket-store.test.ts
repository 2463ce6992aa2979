import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, Connection } from '../../../src/plugin-api/index.js'
import { SocketStore } from '../../../src/remote-store/socket-store.js'
import { chunks, collector, derivation } from '../../support/conversations.js'
import { type Play, playedConnection } from '../../support/remote-commands.js'
import { type DaemonSocket, daemonSocket } from '../../support/daemon-socket.js'
import { error, greeted, int, join, last, list, next, read, type Step, str, write } from '../../support/daemon-script.js'

const item = (name: string): string => `/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-${name}`

const exported = (path: string, data: string): Step[] => [{ expect: join(int(16), str(path), int(1)) }, { send: join(write(data), last(), int(1)) }]
const rooted = (path: string): Step[] => [{ expect: join(int(11), str(path)) }, { send: join(last(), int(1)) }]
const importing: Step[] = [{ expect: int(27) }, { send: read(100) }, { answer: () => undefined }]
const building: Step[] = [
  {
    expect: join(
      int(19),
      int(0),
      int(0),
      int(1),
      int(0),
      int(0),
      int(0),
      int(0),
      int(0),
      int(1),
      int(2),
      str('build-max-silent-time'),
      str('60'),
      str('build-timeout'),
      str('0'),
    ),
  },
  { send: last() },
  { expect: join(int(9), list([derivation]), int(0)) },
]
const options = { maxSilentTime: 60, timeout: 0 }

let socket: DaemonSocket | undefined
let store: SocketStore | undefined

afterEach(async () => {
  await store?.close()
  await socket?.close()
  store = undefined
  socket = undefined
})

/** A connection whose sockets are local ones, after `path` or what `openSocket` does. */
function connection(path: string, roundTripMs = 0.1, openSocket?: () => Promise<Duplex>): Connection {
  const machine: BuildMachine = {
    name: 'builder',
    port: 2222,
    systems: ['x86_64-linux'],
    user: 'me',
    hostKey: 'ssh-ed25519 AAAA',
    daemonSocket: path,
    overloadThreshold: null,
    parallelBuilds: 1,
    speed: 1,
    features: [],
    source: 'test',
  }
  const open = async (): Promise<Duplex> => {
    const stream = createConnection({ path, allowHalfOpen: true })
    await once(stream, 'connect')
    return stream
  }
  return {
    machine,
    roundTripMs,
    details: {},
    closed: Promise.resolve(undefined),
    exec: () => Promise.reject(new MachineError({ code: 'channel-refused', step: 'running a command', problem: 'this connection runs none' })),
    openSocket: openSocket ?? open,
    close: () => Promise.resolve(),
  }
}

async function opened(signal: AbortSignal, roundTripMs: number, ...scripts: Step[][]): Promise<SocketStore> {
  socket = await daemonSocket(...scripts.map((script) => [...greeted(), ...script]))
  store = await SocketStore.open(connection(socket.path, roundTripMs), { signal })
  return store
}

const storeWith = (...scripts: Step[][]): Promise<SocketStore> => opened(new AbortController().signal, 0.1, ...scripts)

describe('SocketStore', () => {
  it('says what is missing, in the order asked', async () => {
    const [a, b, c] = [item('a'), item('b'), item('c')]
    const remote = await storeWith([{ expect: join(int(31), list([c, a, b])) }, { send: join(last(), list([a])) }])
    expect(await remote.missing([c, a, b])).toEqual([c, b])
    expect(await remote.missing([])).toEqual([])
  })

  it('adds, imports and builds over one connection', async () => {
    const remote = await storeWith([
      { expect: join(int(8), str('x.drv'), str('text'), list([item('a')])) },
      { send: join(last(), str(derivation)) },
      ...importing,
      { send: join(last(), list([item('a')])) },
      ...building,
      { send: join(next('log\n'), last(), int(1)) },
      ...exported(item('out'), 'archive'),
    ])
    const log = collector()
    const data = collector()
    expect(await remote.addText('x.drv', 'text', [item('a')])).toBe(derivation)
    await remote.importBundle(() => chunks(Buffer.from('bundle'), 3), 6)
    await remote.build(derivation, options, log.onBytes)
    // The first session has checked signatures, so its agent runs already: no second one is started.
    await remote.warmUpSigning(derivation)
    await remote.exportItem(item('out'), data.onBytes)
    expect([log.text(), data.text()]).toEqual(['log\n', 'archive'])
    expect(socket?.daemons).toHaveLength(1)
    expect(socket?.complaints).toEqual([])
  })

  it('warms up signing on a second connection while it builds, and exports over that', async () => {
    const remote = await storeWith(
      [...building, { send: join(last(), int(1)) }],
      [...exported(derivation, 'derivation'), ...exported(item('out'), 'archive')],
    )
    const building2 = remote.build(derivation, options, () => undefined)
    await Promise.all([remote.warmUpSigning(derivation), building2])
    const data = collector()
    await remote.exportItem(item('out'), data.onBytes)
    expect(data.text()).toBe('archive')
    expect(socket?.daemons.map((daemon) => [daemon.finished, daemon.closed])).toEqual([
      [true, false],
      [true, false],
    ])
  })

  it('exports over the first connection when the second does not work out', async () => {
    const remote = await storeWith(exported(item('out'), 'archive'), [
      { expect: join(int(16), str(derivation), int(1)) },
      { send: error('no agent', 1) },
    ])
    await remote.warmUpSigning(derivation)
    const data = collector()
    await remote.exportItem(item('out'), data.onBytes)
    expect(data.text()).toBe('archive')
  })

  it('closes at once, also while the second connection is being opened', async () => {
    const remote = await storeWith([], [])
    const warmUp = remote.warmUpSigning(derivation)
    await remote.close()
    await remote.close()
    await warmUp
    await expect(remote.missing([item('a')])).rejects.toMatchObject({ code: 'daemon-connection-closed', report: { machine: 'builder:2222' } })
  })

  it('keeps items from collection, as many as the round trips allow', async () => {
    const near = await storeWith([...rooted(item('a')), ...rooted(item('b')), ...rooted(item('c'))])
    expect(await near.keep([item('a'), item('b'), item('c')])).toBe(3)
    await near.close()
    await socket?.close()
    const far = await opened(new AbortController().signal, 120, [...rooted(item('a')), ...rooted(item('b'))])
    expect(await far.keep([item('a'), item('b'), item('c')])).toBe(2)
  })

  it('rejects with the reason of the abort, and hangs up', async () => {
    const controller = new AbortController()
    const remote = await opened(controller.signal, 0.1, building)
    const reason = new Error('the client went away')
    const done = remote.build(derivation, options, () => undefined)
    setTimeout(() => controller.abort(reason), 30)
    await expect(done).rejects.toBe(reason)
    await expect.poll(() => socket?.daemons[0]?.closed).toBe(true)
  })
})

describe('a route that fails', () => {
  const bytes = Buffer.from('bundle')
  const warnings: string[] = []
  const log = { debug: () => undefined, info: () => undefined, warn: (message: string) => void warnings.push(message) }
  const storeAnd = async (route: 'frames' | 'stream', play: Play, ...scripts: Step[][]) => {
    warnings.length = 0
    socket = await daemonSocket(...scripts.map((script) => [...greeted(), ...script]))
    const played = playedConnection([play])
    const link: Connection = { ...connection(socket.path), exec: (words, context) => played.exec(words, context) }
    store = await SocketStore.open(link, { signal: new AbortController().signal, route, log })
    return { remote: store, commands: played.commands }
  }
  const taking: Play = async (command) => {
    await command.inputEnded
    command.exit(0)
  }
  const complaining = (complaint: string): Play => (command) => {
    command.complain(complaint)
    command.exit(1)
  }

  it('stream: the daemon is asked, on the session there is', async () => {
    let answer = ''
    const taken: Step[] = [{ expect: int(27) }, { send: read(100) }, { answer: (data) => (answer = data.toString()) }, { send: join(last(), list([item('a')])) }]
    const { remote } = await storeAnd('stream', complaining('guix: archive: command not found\n'), taken)
    await remote.importBundle(() => chunks(bytes, 2), 6)
    expect(answer).toBe('bundle')
    expect(socket?.daemons).toHaveLength(1)
    expect(warnings).toEqual([expect.stringMatching(/guix: archive: command not found.*; sent as stream, trying frames$/)])
  })

  it('frames: a stream is sent, and a new session protects what the first one did', async () => {
    const again: Step[] = [...rooted(item('a')), { expect: join(int(31), list([item('a')])) }, { send: join(last(), list([])) }]
    const { remote, commands } = await storeAnd('frames', taking, [...rooted(item('a')), ...importing, { end: true }], again)
    await remote.keep([item('a')])
    await remote.importBundle(() => chunks(bytes, 2), 6)
    expect(commands[0]?.input().toString()).toBe('bundle')
    expect(await remote.missing([item('a')])).toEqual([item('a')])
    expect(socket?.complaints).toEqual([])
  })

  it('and the other one too: the first reason counts', async () => {
    const { remote } = await storeAnd('frames', complaining('guix: what?\n'), [...importing, { end: true }], [])
    await expect(remote.importBundle(() => chunks(bytes, 2), 6)).rejects.toMatchObject({ code: 'daemon-connection-lost' })
  })

  it('and the other one is refused: that counts', async () => {
    const { remote } = await storeAnd('stream', complaining('guix: what?\n'), [...importing, { send: error('unauthorized public key: (public-key)', 1) }])
    await expect(remote.importBundle(() => chunks(bytes, 2), 6)).rejects.toMatchObject({ code: 'signing-key-not-authorized' })
  })

  it('for a reason that has nothing to do with it: no other is tried', async () => {
    const { remote, commands } = await storeAnd('stream', complaining('guix archive: error: unauthorized public key: (public-key)\n'), [])
    await expect(remote.importBundle(() => chunks(bytes, 2), 6)).rejects.toMatchObject({ code: 'signing-key-not-authorized' })
    expect([commands.length, warnings]).toEqual([1, []])
  })
})

describe('errors of a SocketStore', () => {
  const place = { machine: 'builder:2222' }

  it.each<[string, string, object]>([
    [
      'unauthorized public key: (public-key \n (ecc \n  (curve Ed25519)\n  (q #0B6C#)\n  )\n )\n',
      'signing-key-not-authorized',
      { fault: 'trust', report: { ...place, step: 'sending store items', seen: 'our key (public-key (ecc (curve Ed25519) (q #0B6C#)))' } },
    ],
    ['invalid signature: (signature \n (data \n', 'signature-refused', { fault: 'trust' }],
    ["signed hash doesn't match actual contents of imported archive; archive could be corrupt", 'signature-refused', { fault: 'trust' }],
    ["imported archive of `/gnu/store/x' lacks a signature", 'signature-refused', { fault: 'trust' }],
    ["path `%1%' is not valid", 'reference-missing', { fault: 'machine', retry: 'other-machine' }],
    ['path ‘/gnu/store/x’ is not valid', 'reference-missing', { fault: 'machine' }],
    ['writing to file: No space left on device', 'disk-full', { fault: 'machine', retry: 'later' }],
    ["bad archive: input doesn't look like a normalized archive", 'daemon-refused', { fault: 'machine', retry: 'other-machine' }],
  ])('import: %s', async (text, code, expected) => {
    const remote = await storeWith([...importing, { send: error(text, 1) }])
    await expect(remote.importBundle(() => chunks(Buffer.from('bundle'), 6), 6)).rejects.toMatchObject({ code, report: place, ...expected })
  })

  it('says how to have our key accepted', async () => {
    const remote = await storeWith([...importing, { send: error('unauthorized public key: (public-key (ecc (q #00#)))', 1) }])
    await expect(remote.importBundle(() => chunks(Buffer.from('bundle'), 6), 6)).rejects.toThrow(
      'On builder:2222, as root, run: guix archive --authorize < signing-key.pub',
    )
  })

  it.each<[string, number, string, object]>([
    [`build of \`${derivation}' failed`, 100, 'build-failed', { fault: 'build', status: 100, report: { ...place, subject: derivation } }],
    [`build of \`${derivation}' failed`, 101, 'build-timed-out', { fault: 'build', status: 101, report: place }],
    ['all build users are currently in use; consider creating additional users', 1, 'build-users-exhausted', { fault: 'machine', retry: 'later' }],
    ["unable to start any build; either increase `--max-jobs' or enable distributed builds", 1, 'builds-disabled', { fault: 'machine' }],
    [
      'something new',
      1,
      'daemon-refused',
      { fault: 'machine', retry: 'other-machine', report: { ...place, step: 'building', problem: 'something new' } },
    ],
  ])('build: %s (%i)', async (text, status, code, expected) => {
    const remote = await storeWith([...building, { send: error(text, status) }])
    await expect(remote.build(derivation, options, () => undefined)).rejects.toMatchObject({ code, ...expected })
  })

  it('build: what the log says counts too', async () => {
    const log = next(`cannot build missing derivation \`${derivation}'\n`)
    const remote = await storeWith([...building, { send: join(log, error(`build of \`${derivation}' failed`, 1)) }])
    await expect(remote.build(derivation, options, () => undefined)).rejects.toMatchObject({ code: 'inputs-missing', report: place })
  })

  it('build: what the builder prints does not', async () => {
    const log = next("dd: No space left on device\nunauthorized public key\nerror: cannot build missing derivation `/gnu/store/x'\n")
    const remote = await storeWith([...building, { send: join(log, error(`build of \`${derivation}' failed`, 1)) }])
    await expect(remote.build(derivation, options, () => undefined)).rejects.toMatchObject({ code: 'daemon-refused' })
  })

  it('a connection that ends names machine and step', async () => {
    const remote = await storeWith([...building, { send: next('half a log') }, { end: true }])
    const report = { ...place, step: 'building', subject: derivation }
    await expect(remote.build(derivation, options, () => undefined)).rejects.toMatchObject({ code: 'daemon-connection-lost', report })
  })

  it('what fails in our own store is not put down to the machine', async () => {
    const own = new MachineError({ code: 'item-not-valid', step: 'reading an item', problem: 'gone' }, 'never')
    const remote = await storeWith(importing)
    const bundle = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10)
      throw own
    }
    await expect(remote.importBundle(bundle, 10)).rejects.toBe(own)
  })

  it('a transport without sockets is no use', async () => {
    const { machine, roundTripMs, details, closed, ...methods } = connection('/nowhere')
    const bare: Connection = {
      machine,
      roundTripMs,
      details,
      closed,
      exec: () => methods.exec([], { signal: AbortSignal.abort() }),
      close: () => Promise.resolve(),
    }
    await expect(SocketStore.open(bare, { signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'forwarding-refused',
      report: place,
    })
  })

  it("a transport's own error passes unchanged", async () => {
    const refused = new MachineError({ code: 'forwarding-refused', step: 'opening a channel', problem: 'not allowed', machine: 'builder' })
    const link = connection('/nowhere', 1, () => Promise.reject(refused))
    await expect(SocketStore.open(link, { signal: new AbortController().signal })).rejects.toBe(refused)
  })

  it('a daemon of another age is named', async () => {
    socket = await daemonSocket(greeted(0x162))
    const opening = SocketStore.open(connection(socket.path), { signal: new AbortController().signal })
    await expect(opening).rejects.toMatchObject({ code: 'unsupported-protocol-version', report: { ...place, seen: '0x162', subject: socket.path } })
  })
})
