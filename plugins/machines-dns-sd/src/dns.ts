/** Asks the domains of the configuration by ordinary DNS (RFC 6763, section 4): PTR, then SRV and TXT of each instance. */
import { Resolver } from 'node:dns/promises'
import { hostNameOf, isPort, shown, type Advert } from './advert.js'
import { serviceType } from './collector.js'
import { limits } from './limits.js'
import { knownStrings } from './txt-record.js'

export interface DomainAnswer {
  readonly adverts: readonly Advert[]
  /** What went wrong, by domain; that a domain has no machines is nothing wrong. */
  readonly problems: readonly string[]
}

const nothingThere = new Set(['ENOTFOUND', 'ENODATA', 'NXDOMAIN'])

/** @throws the signal's reason */
export async function askDomains(domains: readonly string[], wait: number, signal: AbortSignal): Promise<DomainAnswer> {
  if (domains.length === 0) return { adverts: [], problems: [] }
  signal.throwIfAborted()
  const resolver = new Resolver({ timeout: Math.max(100, Math.floor(wait / 2)), tries: 2 })
  const timer = setTimeout(() => resolver.cancel(), wait)
  const onAbort = (): void => resolver.cancel()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const answers = await Promise.all(domains.map((domain) => askDomain(resolver, domain)))
    signal.throwIfAborted()
    return { adverts: answers.flatMap(({ adverts }) => adverts).slice(0, limits.machines), problems: answers.flatMap(({ problem }) => problem ?? []) }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

async function askDomain(resolver: Resolver, domain: string): Promise<{ adverts: readonly Advert[]; problem?: string }> {
  try {
    const instances = (await resolver.resolvePtr(`${serviceType}.${domain}`)).slice(0, limits.machines)
    const adverts = await Promise.all(instances.map((instance) => askInstance(resolver, instance, domain)))
    return { adverts: adverts.flat() }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { adverts: [], ...(nothingThere.has(code) ? {} : { problem: `the name servers say nothing about ${domain} (${code})` }) }
  }
}

async function askInstance(resolver: Resolver, instance: string, domain: string): Promise<Advert[]> {
  try {
    const [services, texts] = await Promise.all([resolver.resolveSrv(instance), resolver.resolveTxt(instance)])
    const best = [...services].sort((a, b) => a.priority - b.priority)[0]
    const host = hostNameOf(best?.name ?? '')
    if (best === undefined || host === undefined || !isPort(best.port)) return []
    const now = Date.now()
    const name = shown(instance.replace(new RegExp(`\\.${serviceType}\\.${domain.replaceAll('.', '\\.')}\\.?$`, 'i'), ''))
    return [{ instance: name, host, port: best.port, txt: knownStrings(texts[0] ?? []), addresses: [], via: 'dns', heardAt: now, firstHeardAt: now }]
  } catch {
    return []
  }
}
