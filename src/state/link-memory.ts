/**
 * How fast the link to a machine is, as the last transfer of some size showed, and what follows for compression where the machine file leaves it open: it costs a fast link more
 * than it saves (compressing takes a processor to 20-50 MB/s), and pays on a slow one.
 */
import type { BuildMachine } from '../plugin-api/index.js'
import { MachineMemory } from './machine-memory.js'

/** Below that the link is slow, above that it is fast; in between stays what is. Bytes of archives per second; compressed ones move some three times as fast as the link. */
const slow = 2 * 2 ** 20
const fast = 12 * 2 ** 20
/** Less says more about the round trip than about the link. */
const significantBytes = 2 ** 20

/** Guix's own default, for links that are slow. */
export const defaultCompression = 'zlib@openssh.com,zlib'

/** What was said of the machine, or what its link asks for. */
export interface CompressionChoice {
  readonly compression: string
  /** `machine file` or `measured`; `default` as long as nothing is. */
  readonly reason: 'machine file' | 'measured' | 'default'
}

export class LinkMemory {
  readonly #memory: MachineMemory

  constructor(stateDirectory: string) {
    this.#memory = new MachineMemory(stateDirectory, 'link')
  }

  async compressionFor(machine: BuildMachine): Promise<CompressionChoice> {
    if (machine.compression !== undefined) return { compression: machine.compression, reason: 'machine file' }
    const { compress } = await this.#memory.recall(machine)
    if (typeof compress !== 'boolean') return { compression: 'none', reason: 'default' }
    return { compression: compress ? defaultCompression : 'none', reason: 'measured' }
  }

  /** Takes note of a transfer, either way. */
  async learn(machine: BuildMachine, bytes: number, seconds: number): Promise<void> {
    if (bytes < significantBytes || seconds <= 0) return
    const bytesPerSecond = Math.round(bytes / seconds)
    const known = await this.#memory.recall(machine)
    const before = known.compress === true
    const compress = bytesPerSecond < slow || (before && bytesPerSecond < fast)
    await this.#memory.remember(machine, { bytesPerSecond, compress })
  }
}
