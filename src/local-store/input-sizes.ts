import type { PathInfo } from '../protocol/replies.js'
import { directInputs, readDerivation } from './derivation-file.js'

/** The part of the local daemon that knows sizes. */
export interface SizeSource {
  pathInfo(path: string): Promise<Pick<PathInfo, 'narSize'>>
  close(): void
}

/**
 * Bytes of the archive of each direct input, by store path. guix-daemon has made them all before it asks for the derivation to be built elsewhere.
 * @throws what reading derivations and the local daemon throw
 */
export async function inputSizes(derivation: string, open: () => Promise<SizeSource>): Promise<ReadonlyMap<string, number>> {
  const opening = open()
  // Reading the derivations takes as long as the daemon's greeting.
  const read = Promise.resolve().then(() => new Set(directInputs(readDerivation(derivation))))
  const [source, inputs] = await Promise.allSettled([opening, read])
  if (source.status === 'rejected') throw source.reason
  try {
    if (inputs.status === 'rejected') throw inputs.reason
    const sizes = new Map<string, number>()
    for (const path of inputs.value) sizes.set(path, (await source.value.pathInfo(path)).narSize)
    return sizes
  } finally {
    source.value.close()
  }
}
