/**
 * The machine source `dns-sd`. A person gets what the network says now. A hook gets what is remembered, and where that is getting old it asks anew while the decision
 * goes on: in the same process, which guix-daemon keeps for its next request or for the build, with sockets and timers that do not keep it alive. No process is left
 * behind that somebody would have to wait for; one that ends too soon leaves the question to the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MachineList, MachineSource, PluginHost, SourceContext, Warning } from 'guix-offload/plugin-api'
import { mergeAdverts } from './advert.js'
import { Cache, type Heard } from './cache.js'
import { parsePublicKey } from './host-key.js'
import { parseKnownHosts } from './known-hosts.js'
import { times } from './limits.js'
import type { NetworkAnswer } from './mdns.js'
import type { Options } from './options.js'
import type { Pins } from './pins.js'
import { readOptions } from './read-options.js'
import { NAME, sortOut } from './sort-out.js'

/** Beside the other files of Guix's configuration folder. */
const usualFile = 'offload-known-hosts'

interface Asked extends Heard {
  readonly problems: readonly string[]
}

export function createSource(host: PluginHost): MachineSource {
  return {
    name: NAME,
    async list(context): Promise<MachineList> {
      context.signal.throwIfAborted()
      const options = await readOptions(host)
      const [{ pins, warnings }, heard] = await Promise.all([readPins(options, context, host), hear(options, context, host)])
      context.signal.throwIfAborted()
      const sorted = sortOut(heard.adverts, pins, options, Date.now())
      return { ...sorted, warnings: [...warnings, ...heard.problems.map((problem) => ({ code: 'domain-silent', message: `${NAME}: ${problem}` }))], engine: engineOf(options) }
    },
  }
}

const engineOf = ({ mdns, domains }: Options): string => [...(mdns ? ['mDNS'] : []), ...domains].join(', ')

async function readPins(options: Options, context: SourceContext, host: PluginHost): Promise<{ readonly pins: Pins; readonly warnings: readonly Warning[] }> {
  const file = options.knownHosts ?? `${context.configurationDirectory}/${usualFile}`
  const text = await host.readTrustedFile(file).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' && options.knownHosts === undefined) return ''
    if (host.errors.is(error)) throw error
    throw host.errors.configuration({ code: 'pins-unreadable', step: 'reading the pinned host keys', problem: `it cannot be read (${String(code ?? error)})`, subject: file, cause: error })
  })
  const knownHosts = parseKnownHosts(text)
  const warnings = knownHosts.wrong.map((line): Warning => ({
    code: 'pin-invalid', message: `${NAME}: this line is no host key and counts for nothing`, location: { file, line, column: 0 }, dropped: true,
  }))
  const authorities = options.certificateAuthorities.flatMap((line) => parsePublicKey(line) ?? [])
  return { pins: { file, knownHosts, fingerprints: new Set(options.fingerprints), authorities }, warnings }
}

async function hear(options: Options, context: SourceContext, host: PluginHost): Promise<Asked> {
  const { mdns, interfaces, domains } = options
  const cache = context.stateDirectory === undefined ? undefined : new Cache(context.stateDirectory, { mdns, interfaces, domains })
  const known = await cache?.recall(Date.now())
  if (context.live === true || cache === undefined) {
    const heard = await ask(options, { wait: times.wholeWait, quick: cache === undefined && context.live !== true }, known, context.signal)
    await cache?.remember(withoutProblems(heard))
    return heard
  }
  if (known !== undefined) {
    const old = Date.now() - known.askedAt > times.fresh
    if (old || !known.whole) void refresh(options, cache, known, host)
    return { ...known, problems: [] }
  }
  if (!(await cache.begin(Date.now()))) return { ...(await heardByAnother(cache, context.signal)), problems: [] }
  try {
    const heard = await ask(options, { wait: times.firstWait, quick: true }, undefined, context.signal)
    await cache.remember(withoutProblems(heard))
    return heard
  } finally {
    await cache.end()
  }
}

const withoutProblems = ({ adverts, askedAt, whole }: Asked): Heard => ({ adverts, askedAt, whole })

async function ask(options: Options, { wait, quick, background }: { wait: number; quick: boolean; background?: boolean }, before: Heard | undefined, signal: AbortSignal): Promise<Asked> {
  const askedAt = Date.now()
  const limit = quick ? Math.min(wait, times.firstWait) : wait
  const [near, far] = await Promise.all([askNear(options, { wait: limit, quick, background }, signal), askFar(options, limit, signal)])
  const kept = near.noisy ? (before?.adverts ?? []).filter(({ via, heardAt }) => via === 'mdns' && askedAt - heardAt < times.grace) : []
  return { adverts: mergeAdverts([...near.adverts, ...far.adverts, ...kept], before?.adverts), askedAt, whole: !quick, problems: quick ? [] : far.problems }
}

async function askNear({ mdns, interfaces }: Options, { wait, quick, background }: { wait: number; quick: boolean; background: boolean | undefined }, signal: AbortSignal): Promise<NetworkAnswer> {
  if (!mdns) return { adverts: [], noisy: false }
  const { askNetwork } = await import('./mdns.js')
  return askNetwork({ interfaces, wait, signal, background, ...(quick ? { quiet: times.quiet } : {}) })
}

async function askFar({ domains }: Options, wait: number, signal: AbortSignal) {
  if (domains.length === 0) return { adverts: [], problems: [] }
  const { askDomains } = await import('./dns.js')
  return askDomains(domains, wait, signal)
}

/** Not bound to the decision that began it: the next one has use for it. Never rejected. */
async function refresh(options: Options, cache: Cache, known: Heard, host: PluginHost): Promise<void> {
  try {
    if (!(await cache.begin(Date.now()))) return
    const heard = await ask(options, { wait: times.wholeWait, quick: false, background: true }, known, new AbortController().signal)
    await cache.remember(withoutProblems(heard))
    await cache.end()
  } catch (error) {
    host.log.debug(`${NAME}: asking anew failed: ${String(error)}`)
    await cache.end()
  }
}

/** Another hook asks this very moment: what it hears is there as soon as it would be for us. */
async function heardByAnother(cache: Cache, signal: AbortSignal): Promise<Heard> {
  const end = Date.now() + times.firstWait
  do {
    await sleep(25, undefined, { signal }).catch(() => signal.throwIfAborted())
    const known = await cache.recall(Date.now())
    if (known !== undefined) return known
  } while (Date.now() < end)
  return { adverts: [], askedAt: Date.now(), whole: false }
}
