import type { BuildMachine } from '../plugin-api/index.js'
import type { Clock } from './clock.js'

/** One machine to ask. */
export interface Question<T> {
  readonly machine: BuildMachine
  /** Not expected to answer soon: it is asked, but not waited for. */
  readonly slow: boolean
  /** Fulfilled with undefined if the machine cannot be used; not rejected. A value that comes although the signal is aborted is discarded. */
  ask(signal: AbortSignal): Promise<T | undefined>
}

/** Times in milliseconds. */
export interface EnquiryOptions<T> {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** What a machine in order needs at the most, where the processors are not busy. */
  readonly promptMs: number
  /** How much longer than the first one the last one may take. */
  readonly patienceMs: number
  /** At a time. */
  readonly maxRunning: number
  /** After which nobody is waited for, whether or not one has answered. */
  readonly deadlineMs?: number | undefined
  /** Gives back what came in vain. Must not throw. */
  readonly discard: (value: T) => void
}

/** `there`: what it answered; `barred`: it cannot be used; `open`: it may still answer. */
export type Reply<T> = { readonly kind: 'there'; readonly value: T } | { readonly kind: 'barred' | 'open' }

interface Attempt<T> {
  readonly controller: AbortController
  readonly result: Promise<T | undefined>
  reply: Reply<T>
  /** What comes of it is somebody else's. */
  handedOver: boolean
}

/** How many times longer than the first one a machine may take before it is late. */
const lateFactor = 3

/**
 * Asks many machines side by side before they are ranked, and waits for most of them: once one has answered, the others get as long again twice, but not less than a machine in order needs. What has been
 * started goes on: whoever wants a machine later {@link Enquiry.join | joins} the attempt instead of beginning anew, and what nobody wants is ended by {@link Enquiry.end}.
 */
export class Enquiry<T> {
  readonly #attempts = new Map<BuildMachine, Attempt<T>>()

  constructor(readonly options: EnquiryOptions<T>) {}

  /** Fulfilled when all have answered that are worth waiting for. Rejected when the signal is aborted. */
  gather(questions: readonly Question<T>[]): Promise<void> {
    const { clock, signal, promptMs, patienceMs, deadlineMs, maxRunning } = this.options
    const started = clock.now()
    const waiting = [...questions]
    let running = 0
    let awaited = questions.filter(({ slow }) => !slow).length
    let unanswered = questions.length
    return new Promise((resolve, reject) => {
      const timers: (() => void)[] = []
      let over = false
      const end = (finish: () => void): void => {
        over = true
        for (const cancel of timers) cancel()
        signal.removeEventListener('abort', onAbort)
        finish()
      }
      const onAbort = (): void => end(() => reject(signal.reason as Error))
      const finishAfter = (ms: number): void => void timers.push(clock.after(ms, () => end(resolve)))
      let answered = false
      const settle = (question: Question<T>, there: boolean): void => {
        running -= 1
        unanswered -= 1
        if (!question.slow) awaited -= 1
        if (over) return
        if (there && !answered) {
          answered = true
          const took = clock.now() - started
          finishAfter(Math.min(Math.max(promptMs, lateFactor * took), took + patienceMs) - took)
        }
        if (unanswered === 0 || (answered && awaited === 0)) end(resolve)
        else advance()
      }
      const advance = (): void => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const question = next
          running += 1
          void this.#start(question).then((value) => settle(question, value !== undefined))
          if (running >= maxRunning) return
        }
      }
      if (signal.aborted) return reject(signal.reason as Error)
      if (questions.length === 0) return resolve()
      signal.addEventListener('abort', onAbort, { once: true })
      if (deadlineMs !== undefined) finishAfter(deadlineMs)
      advance()
    })
  }

  /** What is known by now. Undefined: it was not asked. */
  reply(machine: BuildMachine): Reply<T> | undefined {
    return this.#attempts.get(machine)?.reply
  }

  /**
   * Takes over the attempt at a machine, with what came of it or will still come; undefined if it was not asked. It is ended when the signal is aborted; from now on what comes is the caller's to give back.
   */
  join(machine: BuildMachine, signal: AbortSignal): Promise<T | undefined> | undefined {
    const attempt = this.#attempts.get(machine)
    if (attempt === undefined) return undefined
    attempt.handedOver = true
    const onAbort = (): void => attempt.controller.abort(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    return attempt.result.finally(() => signal.removeEventListener('abort', onAbort))
  }

  /** Ends what nobody has taken over. Safe to call twice. */
  end(): void {
    for (const attempt of this.#attempts.values()) {
      if (attempt.handedOver) continue
      attempt.handedOver = true
      attempt.controller.abort(new DOMException('another machine was chosen', 'AbortError'))
      void attempt.result.then((value) => {
        if (value !== undefined) this.options.discard(value)
      })
    }
  }

  #start(question: Question<T>): Promise<T | undefined> {
    const controller = new AbortController()
    const result = question.ask(controller.signal)
    const attempt: Attempt<T> = { controller, result, reply: { kind: 'open' }, handedOver: false }
    this.#attempts.set(question.machine, attempt)
    return result.then((value) => {
      attempt.reply = value === undefined ? { kind: 'barred' } : { kind: 'there', value }
      return value
    })
  }
}
