import type { BuildMachine, BuildRequest, Probe } from '../../plugin-api/index.js'
import type { Finding } from '../../scheduling/survey.js'
import type { Listing } from '../reports.js'

/** What is asked: a derivation, or the kind of one. */
export type Question = { readonly derivation: string } | { readonly system: string; readonly features: readonly string[] }

/** Something about guix-daemon, its hook or the derivation that decides whether the hook is asked at all. */
export interface Circumstance {
  /** Stable, kebab-case. */
  readonly code: string
  /** As it is now the hook is not asked for this, whatever the machines are like. */
  readonly blocks: boolean
  /** A sentence without full stop. */
  readonly message: string
  readonly cure?: string | undefined
}

export interface MachineFinding extends Finding {
  readonly slots?: {
    readonly total: number
    readonly taken: number
    /** Processes that hold one, as far as we may look. */
    readonly holders: readonly number[]
  } | undefined
}

export interface Answer {
  /** What guix-daemon would be told now. */
  readonly reply: 'accept' | 'decline' | 'postpone'
  /** The machine that would take it. */
  readonly machine?: BuildMachine | undefined
  readonly probe?: Probe | undefined
  /** Why, and what guix-daemon makes of it; a sentence without full stop. */
  readonly reason: string
}

export interface ExplainReport extends Listing {
  /** As guix-daemon would put it. Without a derivation its path is empty. */
  readonly request: BuildRequest
  readonly circumstances: readonly Circumstance[]
  readonly answer: Answer
  readonly scheduler: string
  /** In the order listed. */
  readonly machines: readonly MachineFinding[]
}

/** Whether a machine would take it now. */
export function wouldBeOffloaded({ answer, circumstances }: ExplainReport): boolean {
  return answer.reply === 'accept' && !circumstances.some(({ blocks }) => blocks)
}
