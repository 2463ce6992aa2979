import { OffloadError } from '../errors/offload-error.js'

/**
 * How a bundle gets to a machine. `frames`: in answer to the daemon, which asks for 32 KiB at a time and waits for each. `stream`: into `guix archive --import`, which has to
 * be started first.
 */
export type Route = 'frames' | 'stream'

const frameSize = 32 * 1024
/** What it takes to start guix there and to have it connect to the daemon, in milliseconds; seen: 60 to 150 on an idle machine. */
const startMs = 200
/** Opening the channel, and learning how the command ended. */
const startRoundTrips = 2

/** Which of them has less to wait for; what the bytes themselves take is the same for both. */
export function fasterRoute(size: number, roundTripMs: number): Route {
  const frames = Math.ceil(size / frameSize) * roundTripMs
  return frames <= startMs + startRoundTrips * roundTripMs ? 'frames' : 'stream'
}

export function otherRoute(route: Route): Route {
  return route === 'frames' ? 'stream' : 'frames'
}

/** What the machine would say on the other route too, or what there would be no other route after. */
const finalCodes: ReadonlySet<string> = new Set([
  'disk-full', 'memory-exhausted', 'database-busy', 'reference-missing', 'connection-lost', 'connection-closed', 'daemon-connection-closed',
])

/** Whether a failure may be the route's and not the machine's. */
export function mayGoAnotherWay(error: unknown): boolean {
  return error instanceof OffloadError && (error.fault === 'machine' || error.fault === 'protocol') && error.retry !== 'never' && !finalCodes.has(error.code)
}
