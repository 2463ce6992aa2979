import { ConfigurationError } from '../errors/offload-error.js'
import type { PathInfo } from '../protocol/replies.js'
import type { ProvenanceEntry } from '../state/provenance.js'
import { isStorePath } from '../wire/store-path.js'

export interface ProvenanceReport {
  readonly path: string
  /** Undefined: it was not fetched from a build machine, or that was not kept. */
  readonly entry?: ProvenanceEntry | undefined
  /**
   * `same`: what is in the store is what was fetched; `other`: it was put there again since, by other means; `gone`: it is not in the store; `unknown`: guix-daemon
   * cannot be asked.
   */
  readonly state: 'same' | 'other' | 'gone' | 'unknown'
}

export interface ProvenancePorts {
  readonly storeDirectory: string
  recall(path: string): ProvenanceEntry | undefined
  /** Undefined: the item is not valid. Rejected where guix-daemon cannot be asked. */
  pathInfo(path: string, signal: AbortSignal): Promise<PathInfo | undefined>
}

/** @throws ConfigurationError `not-a-store-item` */
export async function tellProvenance(path: string, ports: ProvenancePorts, signal: AbortSignal): Promise<ProvenanceReport> {
  if (!isStorePath(path, ports.storeDirectory)) {
    throw new ConfigurationError({ code: 'not-a-store-item', step: 'looking for the store item', problem: 'that is not the name of one', subject: path, expected: `${ports.storeDirectory}/HASH-NAME` })
  }
  const entry = ports.recall(path)
  try {
    const info = await ports.pathInfo(path, signal)
    if (info === undefined) return { path, entry, state: 'gone' }
    return { path, entry, state: entry === undefined || info.narHash === entry.narHash ? 'same' : 'other' }
  } catch {
    signal.throwIfAborted()
    return { path, entry, state: 'unknown' }
  }
}
