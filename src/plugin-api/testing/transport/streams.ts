import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RemoteProcess } from '../../index.js'

export const mebibyte = 1024 * 1024

export async function output(process: RemoteProcess): Promise<Buffer> {
  process.stderr.resume()
  const all = await buffer(process.stdout)
  await process.exit
  return all
}

export function* zeros(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536))
}

/** Bytes that repeat at no power of two, so that a lost or doubled packet shows. */
export function* noise(size: number): Generator<Buffer> {
  const pattern = randomBytes(65_521)
  for (let left = size; left > 0; left -= pattern.length) yield pattern.subarray(0, Math.min(left, pattern.length))
}

/** Read to its end without destroying it, as an async iteration would. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** One that has ended but not been waited for is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  return stat !== '' && !/\) Z /.test(stat)
}

export async function within(ms: number, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms`)
    await sleep(20)
  }
}

/** Waits until a number has stopped growing. */
export async function settled(number: () => number): Promise<void> {
  for (let before = -1; before !== number(); await sleep(400)) before = number()
}
