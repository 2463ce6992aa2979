import { setTimeout as sleep } from 'node:timers/promises'

/** Asks every few milliseconds until `probe` answers with something true; gives up after `timeoutMs`, with `what` in the message. */
export const waitFor = async <T>(what: string, probe: () => T | Promise<T>, timeoutMs = 30_000): Promise<Exclude<T, undefined | false | null>> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const answer = await probe()
    if (answer !== undefined && answer !== false && answer !== null) return answer as Exclude<T, undefined | false | null>
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${what}`)
    await sleep(5)
  }
}
