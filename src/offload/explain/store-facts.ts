import { directInputs, type Derivation } from '../../local-store/derivation-file.js'

/** guix-daemon of this host, as far as an explanation needs it. */
export interface AskedDaemon {
  queryValidPaths(paths: readonly string[]): Promise<string[]>
  querySubstitutablePaths(paths: readonly string[]): Promise<string[]>
  close(): void
}

/** What guix-daemon looks at before it thinks of a build. */
export interface StoreFacts {
  readonly derivationValid: boolean
  readonly outputsMissing: readonly string[]
  /** Direct inputs that are not there yet. */
  readonly inputsMissing: readonly string[]
  /** Of the missing outputs, those that a substitute server has; undefined: no answer in time. */
  readonly substitutable: readonly string[] | undefined
}

/**
 * @param patience milliseconds for what goes over the network
 * @throws MachineError, about this host's daemon
 */
export async function storeFactsOf(path: string, derivation: Derivation, open: () => Promise<AskedDaemon>, patience: number): Promise<StoreFacts> {
  const daemon = await open()
  let timer: NodeJS.Timeout | undefined
  try {
    const outputs = [...derivation.outputs.values()]
    const inputs = directInputs(derivation)
    const valid = new Set(await daemon.queryValidPaths([path, ...outputs, ...inputs]))
    const outputsMissing = outputs.filter((output) => !valid.has(output))
    const facts = { derivationValid: valid.has(path), outputsMissing, inputsMissing: inputs.filter((input) => !valid.has(input)) }
    // What Guix writes for `#:substitutable? #f`.
    if (outputsMissing.length === 0 || (derivation.environment.get('allowSubstitutes') ?? '1') !== '1') return { ...facts, substitutable: [] }
    const asked = daemon.querySubstitutablePaths(outputsMissing).catch(() => undefined)
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patience)
    })
    return { ...facts, substitutable: await Promise.race([asked, late]) }
  } finally {
    clearTimeout(timer)
    daemon.close()
  }
}
