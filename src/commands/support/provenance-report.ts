import type { ProvenanceReport } from '../../offload/tell-provenance.js'
import type { Style } from './style.js'

const states: Readonly<Record<ProvenanceReport['state'], string>> = {
  same: 'what is in the store is what was fetched',
  other: 'what is in the store now is something else, built or fetched by other means since',
  gone: 'it is not in the store any more',
  unknown: 'guix-daemon could not be asked whether that is still what is in the store',
}

export function provenanceLines({ path, entry, state }: ProvenanceReport, style: Style): string[] {
  if (entry === undefined) return [`${style.strong(path)}: nothing is known of it: it was built on this host, substituted, or added, or it came before this was kept`]
  return [
    style.strong(path),
    `  machine: ${entry.machine}`,
    `  time: ${entry.time}`,
    `  derivation: ${entry.derivation}`,
    `  key: ${entry.key}`,
    `  signed hash: sha256 ${entry.signedHash}`,
    `  state: ${state === 'same' ? style.good(states[state]) : style.bad(states[state])}`,
  ]
}

/** Sizes in bytes. */
export function provenanceJson({ path, entry, state }: ProvenanceReport): unknown {
  if (entry === undefined) return { path, known: false, state }
  const { time, machine, derivation, narBytes, narHash, key, signedHash, signature } = entry
  return { path, known: true, state, machine, time, derivation, narBytes, narHash, key, signedHash, signature }
}
