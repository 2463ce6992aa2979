/** One whole conversation with the daemon for every operation: what goes over the wire, and what the caller sees of it. */
import type { DaemonSession } from '../../src/protocol/daemon-session.js'
import { type Step, int, join, last, list, next, read, str, write } from './daemon-script.js'

export interface Conversation {
  readonly name: string
  readonly steps: readonly Step[]
  /** Runs it; resolves to everything the caller gets. */
  readonly run: (session: DaemonSession) => Promise<unknown>
  readonly result: unknown
}

const store = '/gnu/store/0123456789abcdfghijklmnpqrsvwxyz'
export const derivation = `${store}-hello.drv`
const item = `${store}-item`
const hash = 'ab'.repeat(32)

export async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export function collector(): { onBytes: (bytes: Uint8Array) => void; text: () => string } {
  const parts: Buffer[] = []
  return { onBytes: (bytes) => void parts.push(Buffer.from(bytes)), text: () => Buffer.concat(parts).toString('latin1') }
}

const simple = (name: string, request: Buffer, reply: Buffer, run: Conversation['run'], result: unknown): Conversation => ({
  name,
  steps: [{ expect: request }, { send: join(next('a word before\n'), last(), reply) }],
  run,
  result,
})

export const conversations: readonly Conversation[] = [
  simple('isValidPath', join(int(1), str(item)), int(1), (session) => session.isValidPath(item), true),
  simple('isValidPath, not valid', join(int(1), str(item)), int(0), (session) => session.isValidPath(item), false),
  simple(
    'addTextToStore',
    join(int(8), str('hello.drv'), str('Derive(…)'), list([item])),
    str(derivation),
    (session) => session.addTextToStore('hello.drv', 'Derive(…)', [item]),
    derivation,
  ),
  {
    name: 'buildPaths',
    steps: [
      { expect: join(int(9), list([derivation]), int(0)) },
      { send: join(next('hel'), next(Buffer.from('lo \xff\n', 'latin1')), next(''), next('world'), last(), int(1)) },
    ],
    run: async (session) => {
      const log = collector()
      await session.buildPaths(derivation, log.onBytes)
      return log.text()
    },
    result: 'hello \xff\nworld',
  },
  simple('addTempRoot', join(int(11), str(item)), int(1), (session) => session.addTempRoot(item), undefined),
  {
    name: 'exportPath',
    steps: [
      { expect: join(int(16), str(item), int(1)) },
      { send: join(write('some '), next('exporting\n'), write('bytes and more'), last(), int(1)) },
    ],
    run: async (session) => {
      const data = collector()
      await session.exportPath(item, data.onBytes)
      return data.text()
    },
    result: 'some bytes and more',
  },
  {
    name: 'setOptions',
    steps: [
      {
        expect: join(
          ...[0, 0, 1, 0, 0, 0, 0, 0, 1].map((value, index) => (index === 0 ? join(int(19), int(value)) : int(value))),
          int(2),
          str('build-timeout'),
          str('7'),
          str('build-cores'),
          str('2'),
        ),
      },
      { send: last() },
    ],
    run: (session) =>
      session.setOptions({
        keepFailed: false,
        keepGoing: false,
        fallback: true,
        verbosity: 0,
        useBuildHook: false,
        buildVerbosity: 0,
        printBuildTrace: false,
        useSubstitutes: true,
        settings: { 'build-timeout': '7', 'build-cores': '2' },
      }),
    result: undefined,
  },
  simple(
    'queryPathInfo',
    join(int(26), str(item)),
    join(str(derivation), str(hash), list([item, derivation]), int(1_700_000_000), int(123_456_789_012)),
    (session) => session.queryPathInfo(item),
    { deriver: derivation, narHash: hash, references: [item, derivation], registrationTime: 1_700_000_000, narSize: 123_456_789_012 },
  ),
  {
    name: 'importPaths',
    steps: [
      { expect: int(27) },
      { send: read(10) },
      { answer: (data) => equal(data, 'The bundle') },
      { send: join(next('importing\n'), read(4096)) },
      { answer: (data) => equal(data, ', all of it.') },
      { send: join(last(), list([item])) },
    ],
    run: (session) => session.importPaths(chunks(Buffer.from('The bundle, all of it.'), 4)),
    result: [item],
  },
  simple('queryValidPaths', join(int(31), list([item, derivation])), list([derivation]), (session) => session.queryValidPaths([item, derivation]), [
    derivation,
  ]),
  simple(
    'querySubstitutablePaths',
    join(int(32), list([item, derivation])),
    list([]),
    (session) => session.querySubstitutablePaths([item, derivation]),
    [],
  ),
]

function equal(data: Buffer, expected: string): void {
  if (data.toString() !== expected) throw new Error(`the daemon got ${JSON.stringify(data.toString())} instead of ${JSON.stringify(expected)}`)
}
