import { Uncaught } from '../../src/scheme/machine.js'
import { Abort } from '../../src/scheme/throw.js'
import { Exception } from '../../src/scheme/value.js'
import { run, type Surroundings } from '../unit/scheme/run.js'

const MODULES = `(use-modules (ice-9 match) (ice-9 format) (ice-9 receive) (ice-9 rdelim) (ice-9 textual-ports) (ice-9 control) (ice-9 exceptions) (ice-9 hash-table)
  (ice-9 string-fun) (srfi srfi-1) (srfi srfi-2) (srfi srfi-9) (srfi srfi-11) (srfi srfi-26) (srfi srfi-34) ((rnrs base) #:select (vector-map vector-for-each exact inexact)))
`
const WORLD: Surroundings = { environment: { HOME: '/root' } }

/** What an expression gives, as evaluate.guile writes it: `V VALUE`, `E KEY`; `unknown …` where it would be left to real Guile. */
export async function evaluate(expression: string): Promise<string> {
  try {
    return `V ${await run(`${MODULES}(call-with-values (lambda () ${expression}\n) (lambda r (if (= 1 (length r)) (car r) (cons 'values r))))`, WORLD)}`.replaceAll('\n', '\\n')
  } catch (error) {
    if (error instanceof Abort) return error.kind === 'unknown' ? `unknown ${error.problem}` : `E ${error.kind === 'read' ? 'read-error' : 'syntax-error'}`
    if (!(error instanceof Uncaught)) throw error
    const { payload } = error.origin
    return `E ${payload instanceof Exception ? payload.key.name : '%exception'}`
  }
}
