/** What was asked of the real daemons when the conversations were recorded, and is asked again when they are replayed. */
import { BuildError, OffloadError } from '../../../src/errors/offload-error.js'
import { DaemonError } from '../../../src/protocol/daemon-error.js'
import type { DaemonSession } from '../../../src/protocol/daemon-session.js'

export type Facts = Readonly<Record<string, { readonly drv: string; readonly out: string }>>

export interface Material {
  readonly facts: Facts
  /** A bundle with one item, signed by a key that the daemon does not know. */
  readonly foreignBundle: Buffer
  /** The same, signed by the daemon itself. */
  readonly ownBundle: Buffer
}

/** What the caller sees; plain data. */
export interface Outcome {
  readonly result?: unknown
  readonly log?: string
  readonly error?: { readonly kind: string; readonly code: string; readonly status?: number; readonly text?: string }
}

type Operation = (session: DaemonSession, material: Material, log: (bytes: Uint8Array) => void) => Promise<unknown>

const options = (settings: Record<string, string> = {}): Parameters<DaemonSession['setOptions']>[0] => ({
  keepFailed: false,
  keepGoing: false,
  fallback: true,
  verbosity: 0,
  useBuildHook: false,
  buildVerbosity: 0,
  printBuildTrace: false,
  useSubstitutes: true,
  settings: { 'build-max-silent-time': '0', 'build-timeout': '0', ...settings },
})

const build =
  (name: string, settings?: Record<string, string>): Operation =>
  async (session, { facts }, log) => {
    await session.setOptions(options(settings))
    await session.buildPaths(fact(facts, name).drv, log)
    return 'built'
  }

const importing =
  (choose: (material: Material) => Buffer): Operation =>
  (session, material) =>
    session.importPaths(inChunks(choose(material)))
const nowhere = '/gnu/store/00000000000000000000000000000000-nowhere'

export const textName = 'recorded-text'
export const text = 'A text item, small enough to be recorded.\n'

export const operations: Readonly<Record<string, Operation>> = {
  isValidPath: async (session, { facts }) => [await session.isValidPath(fact(facts, 'tools').out), await session.isValidPath(nowhere)],
  addTextToStore: (session, { facts }) => session.addTextToStore(textName, text, [fact(facts, 'tools').out]),
  'addTextToStore, missing reference': (session) => session.addTextToStore(textName, text, [nowhere]),
  addTempRoot: (session) => session.addTempRoot(nowhere),
  queryPathInfo: async (session, { facts }) => ({ ...(await session.queryPathInfo(fact(facts, 'good').drv)) }),
  'queryPathInfo, not valid': (session) => session.queryPathInfo(nowhere),
  queryValidPaths: (session, { facts }) => session.queryValidPaths([nowhere, fact(facts, 'tools').out, fact(facts, 'good').drv]),
  querySubstitutablePaths: (session, { facts }) => session.querySubstitutablePaths([nowhere, fact(facts, 'tools').out]),
  'queryValidPaths, not a store path': (session) => session.queryValidPaths(['/tmp/x']),
  'build: good': build('good'),
  'build: good, again': build('good'),
  'build: failing': build('failing'),
  'build: silent': build('silent', { 'build-max-silent-time': '1' }),
  'build: endless': build('endless', { 'build-timeout': '1' }),
  'build: outputless': build('outputless'),
  'build: wrong-hash': build('wrong-hash'),
  'build: fixed-failing': build('fixed-failing'),
  'build: referring': build('referring'),
  'build: builds switched off': build('failing', { 'build-max-jobs': '0' }),
  'build: missing derivation': (session) => session.buildPaths(`${nowhere}.drv`),
  exportPath: async (session, { facts }) => {
    const parts: Uint8Array[] = []
    await session.exportPath(fact(facts, 'good').drv, (bytes) => void parts.push(Buffer.from(bytes)))
    return Buffer.concat(parts).toString('base64')
  },
  'exportPath, not valid': (session) => session.exportPath(nowhere, () => undefined),
  importPaths: importing(({ ownBundle }) => ownBundle),
  'importPaths, unknown key': importing(({ foreignBundle }) => foreignBundle),
  'importPaths, signature spoilt': importing(({ ownBundle }) => spoilt(ownBundle, ownBundle.lastIndexOf('(s #') + 4)),
  'importPaths, contents spoilt': importing(({ ownBundle }) => spoilt(ownBundle, ownBundle.indexOf('small enough'))),
  'importPaths, no archive': importing(() => Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(64, 'x')])),
}

export async function perform(name: string, session: DaemonSession, material: Material): Promise<Outcome> {
  const operation = operations[name]
  if (operation === undefined) throw new Error(`no operation is called ${name}`)
  const log: Uint8Array[] = []
  const logged = (): object => (log.length === 0 ? {} : { log: Buffer.concat(log).toString('latin1') })
  try {
    const result: unknown = await operation(session, material, (bytes) => void log.push(Buffer.from(bytes)))
    return { ...(result === undefined ? {} : { result }), ...logged() }
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    const said = error instanceof DaemonError ? error : error.cause instanceof DaemonError ? error.cause : undefined
    const status = error instanceof BuildError ? error.status : said?.status
    const details = { ...(status === undefined ? {} : { status }), ...(said === undefined ? {} : { text: said.text }) }
    return { error: { kind: error.name, code: error.code, ...details }, ...logged() }
  }
}

export async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}

function fact(facts: Facts, name: string): Facts[string] {
  const found = facts[name]
  if (found === undefined) throw new Error(`no fact is called ${name}`)
  return found
}

/** One hexadecimal digit or letter changed to another of its kind. */
function spoilt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) === 0x31 ? 0x32 : 0x31
  return copy
}
