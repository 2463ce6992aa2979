import type { BuildMachine, Connection, Log } from '../plugin-api/index.js'
import type { Consumer } from '../protocol/consumer.js'
import type { PathInfo } from '../protocol/replies.js'
import type { RemoteStore } from '../remote-store/remote-store.js'
import type { ItemMemory } from '../state/item-memory.js'
import type { SendingTurns } from '../state/sending-turns.js'
import type { ProvenanceEntry } from '../state/provenance.js'
import type { Acl } from '../trust/acl.js'
import type { Signer } from '../trust/signer.js'

/** The local guix-daemon, as far as an offload needs it. */
export interface LocalStore {
  pathInfo(path: string): Promise<PathInfo>
  addTempRoot(path: string): Promise<void>
  addText(name: string, text: string, references: readonly string[]): Promise<string>
  exportSigned(path: string, onData: Consumer): Promise<void>
  close(): void
}

/** What the use cases need from below; made by the composition root. */
export interface OffloadPorts {
  readonly storeDirectory: string
  readonly stateDirectory: string
  readonly log: Log
  /** The machine may offload further. */
  readonly offloadOnward: boolean
  /** Milliseconds, monotonic. */
  readonly monotonic: () => number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Keeps builds that start together from sending the same items each. */
  readonly sendingTurns: Pick<SendingTurns, 'take'>
  /** Remembers which items machines have, for strategies that ask. */
  readonly items?: Pick<ItemMemory, 'learn'> | undefined
  openLocalStore(signal: AbortSignal): Promise<LocalStore>
  openRemoteStore(connection: Connection, machine: BuildMachine, signal: AbortSignal): Promise<RemoteStore>
  /** Undefined where the secret key cannot be read: the local daemon signs then. */
  loadSigner(): Promise<Signer | undefined>
  loadAcl(): Promise<Acl>
  /** Keeps where outputs came from. Never fails. */
  keepProvenance(entries: readonly ProvenanceEntry[]): Promise<void>
}
