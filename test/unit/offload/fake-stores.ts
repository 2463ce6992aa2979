/** Both stores of an offload behind our own interfaces, in memory but for a scratch folder that serves as the local store; every call is written down. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OffloadPorts, LocalStore } from '../../../src/offload/ports.js'
import type { OffloadTask } from '../../../src/offload/task.js'
import { bundleGrammar } from '../../../src/nar/bundle-reader.js'
import { encodeMember } from '../../../src/nar/bundle-writer.js'
import { discardingSink } from '../../../src/nar/nar-sink.js'
import type { ProvenanceEntry } from '../../../src/state/provenance.js'
import type { RemoteStore } from '../../../src/remote-store/remote-store.js'
import { aclOf } from '../../../src/trust/acl.js'
import { parseStorePath, storePathName } from '../../../src/wire/store-path.js'
import { decodeAll } from '../../support/decode-all.js'
import { encodeTree, file, type Tree } from '../../support/tree.js'
import { signer } from '../trust/golden.js'

/** The name that a call or a message is written down as, store paths by what follows their hash. */
const shown = (text: string): string => text.replaceAll(/[^\s']*\/[0-9a-z]{32}-/g, '').replaceAll(/guix-offload-[0-9a-f]{32}/g, 'TEMPORARY')

export class FakeStores {
  readonly storeDirectory: string
  readonly stateDirectory: string
  /** What happened, in order: calls on the stores, messages to the user. */
  readonly events: string[] = []
  readonly provenance: ProvenanceEntry[] = []
  readonly #references = new Map<string, readonly string[]>()
  #hashes = 0

  constructor(folder: string) {
    this.storeDirectory = join(folder, 'store')
    this.stateDirectory = join(folder, 'state')
    mkdirSync(this.storeDirectory)
    mkdirSync(this.stateDirectory)
  }

  note(event: string): void {
    this.events.push(shown(event).replaceAll(`${this.storeDirectory}/`, ''))
  }

  /** A path directly in the store, without anything there. */
  path(name: string): string {
    this.#hashes += 1
    return `${this.storeDirectory}/${String(this.#hashes).padStart(32, '0')}-${name}`
  }

  item(name: string, references: readonly string[] = [], content = name): string {
    const path = this.path(name)
    writeFileSync(path, content)
    this.#references.set(path, references)
    return path
  }

  derivation(name: string, outputs: readonly string[], sources: readonly string[]): string {
    const quoted = (texts: readonly string[]): string => texts.map((text) => `"${text}"`).join(',')
    const outs = outputs.map((path, index) => `("out${index}","${path}","","")`).join(',')
    return this.item(`${name}.drv`, sources, `Derive([${outs}],[],[${quoted(sources)}],"x86_64-linux","/bin/sh",[],[])`)
  }

  /** All that is in the store but for those items. */
  strangers(...known: readonly string[]): string[] {
    const names = new Set([...known, ...this.#references.keys()])
    return readdirSync(this.storeDirectory).filter((name) => !names.has(join(this.storeDirectory, name)))
  }

  /** Journals of temporary items. */
  journals(): string[] {
    const folder = join(this.stateDirectory, 'offload', 'arriving')
    return existsSync(folder) ? readdirSync(folder) : []
  }

  local(changes: Partial<LocalStore> = {}): LocalStore {
    return {
      pathInfo: async (path) => ({ deriver: '', narHash: '', references: this.#references.get(path) ?? [], registrationTime: 1, narSize: 1000 }),
      addTempRoot: async (path) => this.note(`local: root ${path}`),
      addText: async (name) => this.path(name),
      exportSigned: async (path) => this.note(`local: export ${path}`),
      close: () => this.note('local: close'),
      ...changes,
    }
  }

  /** A machine that lacks `missing`; what its builds make is a small file. */
  remote(missing: readonly string[], changes: Partial<RemoteStore> = {}): RemoteStore {
    return {
      rung: 'socket',
      keep: async (paths) => {
        this.note(`keep ${paths.join(' ')}`)
        return paths.length
      },
      missing: async (paths) => {
        this.note(`missing? ${paths.join(' ')}`)
        return paths.filter((path) => missing.includes(path))
      },
      importBundle: async (bundle) => {
        const items = await this.#unpack(bundle())
        this.note(`import ${items.join(' ')}`)
      },
      addText: async (name) => {
        this.note(`add text ${name}`)
        return missing.find((path) => storePathName(parseStorePath(path, this.storeDirectory)) === name) ?? this.path(name)
      },
      build: async (derivation, _options, onLog) => {
        this.note(`build ${derivation}`)
        await onLog(Buffer.from('the log\n'))
      },
      exportItem: async (path, onData) => {
        this.note(`export ${path}`)
        for await (const chunk of this.member(path)) await onData(chunk)
      },
      warmUpSigning: async () => this.note('warm up'),
      close: async () => this.note('close'),
      ...changes,
    }
  }

  /** A bundle member as a machine sends it; unsigned if `key` is undefined. */
  member(path: string, { key = 'ecc', tree = file('made there') }: { readonly key?: string | undefined; readonly tree?: Tree } = {}): AsyncIterable<Buffer> {
    return this.#member(path, key, tree)
  }

  unsignedMember(path: string): AsyncIterable<Buffer> {
    return this.#member(path, undefined, file('made there'))
  }

  #member(path: string, key: string | undefined, tree: Tree): AsyncIterable<Buffer> {
    const item = { path: parseStorePath(path, this.storeDirectory), references: [], deriver: undefined, nar: [encodeTree(tree)] }
    return encodeMember(item, key === undefined ? undefined : async (hash) => (await signer(key).sign(hash)).toString('latin1'))
  }

  async #unpack(bundle: AsyncIterable<Uint8Array>): Promise<string[]> {
    const chunks: Uint8Array[] = []
    for await (const chunk of bundle) chunks.push(chunk)
    const items: string[] = []
    decodeAll((feed) => bundleGrammar(feed, { begin: () => discardingSink, item: ({ path }) => void items.push(path) }, this.storeDirectory), Buffer.concat(chunks))
    return items
  }

  ports(changes: Partial<OffloadPorts> = {}): OffloadPorts {
    let milliseconds = 0
    return {
      storeDirectory: this.storeDirectory,
      stateDirectory: this.stateDirectory,
      log: { debug: () => undefined, info: (message) => this.note(`> ${message}`), warn: (message) => this.note(`>! ${message}`) },
      offloadOnward: false,
      monotonic: () => (milliseconds += 10),
      now: () => 1_700_000_000_000,
      sendingTurns: { take: async () => ({ waited: false, release: () => undefined }) },
      openLocalStore: async () => this.local(),
      openRemoteStore: async () => this.remote([]),
      loadSigner: async () => signer('ecc'),
      keepProvenance: async (entries) => void this.provenance.push(...entries),
      loadAcl: async () => aclOf([signer('ecc').publicKey]),
      ...changes,
    }
  }

  task(derivation: string, inputs: readonly string[], outputs: readonly string[]): OffloadTask {
    const request = { derivation, system: 'x86_64-linux', features: [], wantsLocal: false }
    return { request, inputs, outputs, maxSilentTime: 0, timeout: 0 }
  }
}
