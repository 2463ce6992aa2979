import type { Candidate } from 'guix-offload/plugin-api'

/** How fast it is and how busy: `speed 2 (emulated), pressure 0.31 and 1 started since` */
export function describeSpeed({ machine, probe, startedSince = 0, emulated }: Candidate): string {
  const busy = probe === undefined ? 'no answer yet' : probe.pressure === undefined ? `load ${probe.normalizedLoad.toFixed(2)}` : `pressure ${probe.pressure.toFixed(2)}`
  return `speed ${machine.speed}${emulated === true ? ' (emulated)' : ''}, ${startedSince === 0 ? busy : `${busy} and ${startedSince} started since`}`
}
