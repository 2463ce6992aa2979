import type { MachineSource, SourceContext } from '../index.js'

/** A machine source, what it should list, and the means to spoil where it reads or whom it asks. */
export interface MachineSourceSubject {
  readonly source: MachineSource
  /** What it is asked with; the suite adds the signal, and tries it with and without `stateDirectory` and `live`. */
  readonly context: Omit<SourceContext, 'signal' | 'live' | 'stateDirectory'>
  /** What it is to list as long as nothing is spoilt; more than one machine, so that a lost one shows. */
  readonly machines: readonly { readonly name: string; readonly port: number }[]
  /** Puts a wrong entry beside the good ones (with a field missing, say). Needed unless the capability `wrongEntries` is lacking. */
  spoilEntry?(): Promise<void>
  /** Makes it impossible to list anything: a file that cannot be read, a server that is not there. Needed unless the capability `failure` is lacking. */
  spoilEverything?(): Promise<void>
  /** Whom it asks takes the question and never answers. Needed unless the capability `asksOthers` is lacking. */
  silence?(): Promise<void>
  /** Takes back whatever was done last. */
  restore(): Promise<void>
  /** Removes what the subject has made. */
  stop(): Promise<void>
}

/** What a source may lack. Tests of what is lacking are left out. */
export interface MachineSourceCapabilities {
  /** There are entries that can be wrong by themselves. False where another program has checked them. True unless said otherwise. */
  readonly wrongEntries: boolean
  /** It can happen that nothing can be listed at all. True unless said otherwise. */
  readonly failure: boolean
  /** It asks others, who may not answer: a server, a network, a program. True unless said otherwise. */
  readonly asksOthers: boolean
}
