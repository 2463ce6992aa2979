/** The ways in which a program ends other than with a value. */
import { Exception, NIL, intern, list, type Place, type Value } from './value.js'

/** Raised by the program or by a procedure it called; `catch` and `guard` see it. */
export class SchemeThrow extends Error {
  readonly payload: Value
  readonly continuable: boolean
  /** Where, if whoever threw it knew better than the machine. */
  place: Place | undefined
  constructor(payload: Value, continuable = false) {
    super('a Scheme exception')
    this.payload = payload
    this.continuable = continuable
  }
}

/** A value of the wrong type; the machine knows for which procedure. */
export class WrongType extends Error {
  readonly position: number
  readonly value: Value
  readonly expecting: string | undefined
  constructor(position: number, value: Value, expecting?: string) {
    super('wrong type argument')
    this.position = position
    this.value = value
    this.expecting = expecting
  }
}

export type AbortKind = 'read' | 'syntax' | 'unknown' | 'limit'

/** Ends the program whatever handlers it has: what we do not know must not be mistaken for what failed. */
export class Abort extends Error {
  readonly kind: AbortKind
  readonly problem: string
  place: Place | undefined
  /** The name or module that is not known here. */
  readonly unknown: string | undefined
  constructor(kind: AbortKind, problem: string, place?: Place, unknown?: string) {
    super(problem)
    this.kind = kind
    this.problem = problem
    this.place = place
    this.unknown = unknown
  }
}

export function syntaxError(problem: string, place: Place | undefined): Abort {
  return new Abort('syntax', problem, place)
}

/** Something real Guile may know and we do not. */
export function beyond(what: string, place?: Place): Abort {
  return new Abort('unknown', `${what} is not known here`, place, what)
}

/** `(throw key …)`. */
export function thrown(key: string, ...args: readonly Value[]): SchemeThrow {
  return new SchemeThrow(new Exception(intern(key), list(args)))
}

/** An error in Guile's usual form: `(key procedure format arguments rest)`. */
export function failed(key: string, procedure: string | false, format: string, args: readonly Value[] = [], rest: Value = false): SchemeThrow {
  return thrown(key, procedure, format, list(args), rest)
}

export function outOfRange(procedure: string, position: number, value: Value): SchemeThrow {
  return failed('out-of-range', procedure, 'Argument ~A out of range: ~S', [BigInt(position), value], list([value], NIL))
}
