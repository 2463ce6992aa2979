/**
 * The messages that the `guix offload` that comes with Guix prints, word for word: `guix build`'s display and people's scripts read them.
 * In the order in which they appear during one offload.
 */

/** For every machine that was asked, before the reply. */
export function normalizedLoad(machine: string, load: number): string {
  return `normalized load on machine '${machine}' is ${load.toFixed(2)}`
}

/** For a machine with less free space than the minimum, before the reply. */
export function lowDiskSpace(machine: string, freeBytes: number): string {
  return `skipping machine '${machine}' because it is low on disk space (${storageSize(freeBytes)} free)`
}

/** Once a slot is taken; not only on the machine chosen in the end. */
export function slotAcquired(pid: number, file: string): string {
  return `process ${pid} acquired build slot '${file}'`
}

/** After the reply, if anything is missing on the machine. */
export function sendingItems(count: number, bytes: number, machine: string): string {
  return `guix offload: sending ${count} store ${items(count)} (${roundHalfEven(bytes / 2 ** 20)} MiB) to '${machine}'...`
}

/** Before {@link sendingItems}; not one of stock's. */
export function waitingForSender(machine: string): string {
  return `guix offload: another build is sending the same store items to '${machine}'; waiting for it...`
}

/** Once everything is there. {@link buildRemote} follows. */
export function offloading(derivation: string, machine: string): string {
  return `offloading '${derivation}' to '${machine}'...`
}

/** The build starts; one of the daemon's trace lines, which clients parse. */
export function buildRemote(derivation: string, machine: string): string {
  return `@ build-remote ${derivation} ${machine}`
}

/** The machine's daemon reported a failure of the build. */
export function offloadFailed(derivation: string, machine: string, problem: string): string {
  return `derivation '${derivation}' offloaded to '${machine}' failed: ${problem}`
}

/** After {@link offloadFailed}, when less than 10 MiB are left there: the failure is then transient. */
export function failedForLackOfSpace(machine: string): string {
  return `build failure may have been caused by lack of free disk space on '${machine}'`
}

/** Before the outputs are fetched. */
export function retrievingItems(count: number, machine: string): string {
  return `retrieving ${count} store ${items(count)} from '${machine}'...`
}

/** The outputs are in place. */
export function doneOffloading(derivation: string): string {
  return `done with offloaded '${derivation}'`
}

function items(count: number): string {
  return count === 1 ? 'item' : 'items'
}

/** Whole units, the largest of which there is more than one. */
function storageSize(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
  const exponent = units.findLastIndex((_unit, index) => bytes > 1024 ** index)
  return exponent < 1 ? `${bytes} bytes` : `${roundHalfEven(bytes / 1024 ** exponent)} ${units[exponent] ?? ''}`
}

/** As Scheme's `round`. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}
