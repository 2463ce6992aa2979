import type { Location } from './machine.js'

/**
 * Evaluates programs in Guile's dialect of Scheme, as far as configuration files need it, without touching the world: files, environment and the like come from
 * a {@link SchemeWorld}. What it does not know it never guesses: such a program fails with `kind: 'unknown'`, whatever exception handlers it has.
 */
export interface SchemeToolkit {
  /**
   * The value of the program's last expression, or why there is none. Never rejects because of the program; an error thrown by a function of `world` that is not
   * a system error (no `code` like `ENOENT`) ends the program and is passed on unchanged.
   */
  evaluate(program: SchemeProgram, world: SchemeWorld, limits?: Partial<SchemeLimits>): Promise<SchemeOutcome>
}

/** What is evaluated. */
export interface SchemeProgram {
  readonly text: string
  /** As messages and locations name it. */
  readonly file: string
  /** Modules besides those of the language. */
  readonly modules?: readonly SchemeModule[]
  /** Written names of the modules that the program sees from the start, besides `(guile)`. */
  readonly imports?: readonly string[]
}

/** A module made by the caller; everything in it is exported. */
export interface SchemeModule {
  /** As written in a program: `(guix scripts offload)`. */
  readonly name: string
  readonly records?: readonly SchemeRecordType[]
  readonly values?: Readonly<Record<string, SchemeDatum>>
  readonly procedures?: Readonly<Record<string, (...args: SchemeDatum[]) => SchemeDatum | Promise<SchemeDatum>>>
}

/**
 * A record type of the kind that `(guix records)` defines: `(NAME (field value) …)` with fields in any order, each seeing those before it, and
 * `(NAME (inherit X) (field value) …)`. Missing, unknown and duplicate fields fail with the messages and places of Guix.
 */
export interface SchemeRecordType {
  readonly name: string
  readonly predicate: string
  readonly fields: readonly SchemeRecordField[]
}

/** One field of a record type. */
export interface SchemeRecordField {
  readonly name: string
  /** Procedure that gives the field's value; absent: the program has none. */
  readonly accessor?: string
  /** Absent: the field must be given. */
  readonly default?: SchemeDatum
}

/** What values look like outside of a program. Exact integers are bigints, inexact reals numbers; proper lists are arrays. */
export type SchemeDatum = string | bigint | number | boolean | readonly SchemeDatum[] | SchemeRecord | SchemeOther

/** An object made by a record type. */
export interface SchemeRecord {
  readonly kind: 'record'
  /** Name of its {@link SchemeRecordType}. */
  readonly type: string
  readonly fields: Readonly<Record<string, SchemeDatum>>
  /** Where it was made. */
  readonly location: Location
  /** Where each field that was not left to its default was given, perhaps in the record inherited from. */
  readonly given: Readonly<Record<string, Location>>
}

/** A value that has no counterpart here: a symbol, a procedure, a pair that is no list … */
export interface SchemeOther {
  readonly kind: 'symbol' | 'ratio' | 'other'
  /** As `write` prints it. */
  readonly text: string
  /** The nearest number, of an exact ratio. */
  readonly number?: number
}

/** What a program may know of the world. A system error (with a `code` like `ENOENT`) becomes an exception that the program can catch. */
export interface SchemeWorld {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly hostName: string
  /** The user the program runs as. */
  readonly account: { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string }
  /** `program`: the file will be evaluated, so that whoever can write to it is to be trusted. Relative names are relative to the working directory. */
  readFile(path: string, use: 'data' | 'program'): string | Promise<string>
  fileExists(path: string): boolean | Promise<boolean>
  /** A line that the program wrote to its output. */
  print(line: string): void
}

/** How much a program may take. */
export interface SchemeLimits {
  /** Calls; 3,000,000 unless said otherwise, about half a second. */
  readonly steps: number
  /** Calls that wait for the value of another one; 400,000 unless said otherwise. */
  readonly depth: number
  /** Milliseconds of work without waiting for the world; 5,000 unless said otherwise. */
  readonly time: number
}

/** A value or a failure. */
export type SchemeOutcome = { readonly value: SchemeDatum; readonly failure?: undefined } | { readonly failure: SchemeFailure }

/** Why a program has no value. */
export interface SchemeFailure {
  /**
   * `read`: no Scheme; `syntax`: a form that is wrong, such as a record with a missing field; `raised`: an exception that the program did not catch;
   * `unknown`: a name, module or feature not known here, which real Guile may know; `limit`: it runs too long or too deep.
   */
  readonly kind: 'read' | 'syntax' | 'raised' | 'unknown' | 'limit'
  /** What went wrong, in Guile's words where there are any, as a sentence without full stop. */
  readonly problem: string
  /** As precise as known; at worst the form that was being evaluated. */
  readonly location: Location
  /** Of `unknown`: the name, or the written name of the module. */
  readonly unknown?: string | undefined
}
