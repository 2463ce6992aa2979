/** What a set-up did, or with `dryRun` would do. */
export interface SetupReport {
  readonly dryRun: boolean
  readonly changes: readonly SetupChange[]
  /** What is left for the reader to do, in order; each may have several lines. */
  readonly instructions: readonly string[]
  readonly warnings: readonly string[]
}

export interface SetupChange {
  readonly action: 'write' | 'remove' | 'run' | 'keep'
  /** A path; for `run`, the command. */
  readonly subject: string
  /** What is written there. */
  readonly content?: string | undefined
}
