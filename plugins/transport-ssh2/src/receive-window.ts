/**
 * How much a server may send before we have passed it on (RFC 4254, 5.2). The window must hold what is under way during one round trip, or a fast far link stands
 * idle: 2 MiB at 100 ms is 20 MB/s. It is renewed only for what a reader has taken, so that memory stays bounded.
 */
import type { ClientChannel } from 'ssh2'
import { takeOverWindow } from './ssh2-internals.js'

const mebibyte = 1024 * 1024
const smallest = 2 * mebibyte
const largest = 32 * mebibyte
/** 1 Gbit/s, the fastest link worth planning for over a distance. */
const bytesPerMs = 125_000

/** Two round trips' worth, since the window is renewed when half of it is used. */
export function windowFor(roundTripMs: number): number {
  return Math.min(largest, Math.max(smallest, Math.ceil((2 * roundTripMs * bytesPerMs) / mebibyte) * mebibyte))
}

/** @returns what to call with the number of bytes each time some are passed on. */
export function receiveWindow(channel: ClientChannel, size: number): (bytes: number) => void {
  const window = takeOverWindow(channel)
  if (window === undefined) return () => undefined
  if (size > window.granted) window.grant(size - window.granted)
  const total = Math.max(size, window.granted)
  let taken = 0
  return (bytes) => {
    taken += bytes
    if (taken < total / 2) return
    window.grant(taken)
    taken = 0
  }
}
