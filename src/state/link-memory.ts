/**
 * How fast archives went to and from a machine, with compression and without, and what follows where the machine file leaves it open: compression costs a fast link more than it saves
 * (compressing takes a processor to 20-50 MB/s), and pays on a slow one.
 *
 * A machine that was busy looks like a slow link. So compression is only tried: it stays as long as it has shown to be faster than going without. What was measured counts for a day, and
 * each measurement for as much as all before it: one that is out of the way does not turn a link that is well known, two in a row do.
 *
 * Compressed archives that arrive fast leave it open whether the link has become fast or they compress well (some to a twenty-fifth): what the link carries without is looked at again sooner.
 */
import type { BuildMachine } from '../plugin-api/index.js'
import { MachineMemory } from './machine-memory.js'

/** Bytes of archives per second. Without compression, below that compression is worth a try. */
const slow = 2 * 2 ** 20
/** With compression, above that the link may have become fast: compressed archives move some three times as fast as the link. */
const fast = 12 * 2 ** 20
/** Less of a gain is no gain. */
const worthwhile = 1.2
/** Less says more about the round trip than about the link. */
const significantBytes = 2 ** 20
const hourMs = 60 * 60 * 1000
const dayMs = 24 * hourMs

/** Guix's own default, for links that are slow. */
export const defaultCompression = 'zlib@openssh.com,zlib'

/** What was said of the machine, or what its link asks for. */
export interface CompressionChoice {
  readonly compression: string
  /** `machine file` or `measured`; `default` as long as nothing is. */
  readonly reason: 'machine file' | 'measured' | 'default'
}

export interface LinkTransfer {
  /** Of archives, uncompressed. */
  readonly bytes: number
  readonly seconds: number
  /** Whether the connection was. */
  readonly compressed: boolean
}

export class LinkMemory {
  readonly #memory: MachineMemory
  readonly #now: () => number

  constructor(stateDirectory: string, now: () => number = Date.now) {
    this.#memory = new MachineMemory(stateDirectory, 'link')
    this.#now = now
  }

  async compressionFor(machine: BuildMachine): Promise<CompressionChoice> {
    if (machine.compression !== undefined) return { compression: machine.compression, reason: 'machine file' }
    const { plain, compressed } = this.#rates(await this.#memory.recall(machine))
    if (plain === undefined) return { compression: 'none', reason: 'default' }
    return { compression: pays(plain, compressed) ? defaultCompression : 'none', reason: 'measured' }
  }

  /** What the link carries, compressed if that is how it is used, as transfers of some size have shown; undefined as long as there was none. */
  async bytesPerSecond(machine: BuildMachine): Promise<number | undefined> {
    const { plain, compressed } = this.#rates(await this.#memory.recall(machine))
    return plain === undefined || (compressed !== undefined && pays(plain, compressed)) ? compressed : plain
  }

  /** Takes note of a transfer, either way. */
  async learn(machine: BuildMachine, { bytes, seconds, compressed }: LinkTransfer): Promise<void> {
    if (bytes < significantBytes || seconds <= 0) return
    const known = await this.#memory.recall(machine)
    const kind = compressed ? 'compressed' : 'plain'
    const before = this.#rates(known)[kind]
    const now = bytes / seconds
    const bytesPerSecond = Math.round(before === undefined ? now : Math.sqrt(before * now))
    const { plain, compressed: other } = known
    await this.#memory.remember(machine, { plain, compressed: other, [kind]: { bytesPerSecond, at: this.#now() } })
  }

  #rates(known: Readonly<Record<string, unknown>>) {
    const compressed = this.#rate(known['compressed'], dayMs)
    return { compressed, plain: this.#rate(known['plain'], compressed !== undefined && compressed >= fast ? hourMs : dayMs) }
  }

  #rate(entry: unknown, maxAgeMs: number): number | undefined {
    if (typeof entry !== 'object' || entry === null || !('bytesPerSecond' in entry) || !('at' in entry)) return undefined
    const { bytesPerSecond, at } = entry
    if (typeof bytesPerSecond !== 'number' || !(bytesPerSecond > 0) || typeof at !== 'number') return undefined
    const age = this.#now() - at
    return age >= 0 && age < maxAgeMs ? bytesPerSecond : undefined
  }
}

function pays(plain: number, compressed: number | undefined): boolean {
  if (plain >= slow) return false
  return compressed === undefined || compressed > plain * worthwhile
}
