import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { evaluate } from '../../support/scheme-expressions.js'

const linesOf = (name: string): string[] => readFileSync(new URL(`../../fixtures/scheme/${name}`, import.meta.url), 'utf8').split('\n').slice(0, -1)
const expressions = linesOf('expressions.scm')
const golden = linesOf('golden.txt')

/** Definitions and what else makes no sense inside of a procedure call. */
const TOP_LEVEL = /^\((?:define|begin\)|begin \(define)/

test('every expression gives what it gives in Guile, or is left to Guile', async () => {
  expect(expressions.length).toBe(golden.length)
  const wrong: string[] = []
  const left: string[] = []
  for (const [at, expression] of expressions.entries()) {
    if (TOP_LEVEL.test(expression)) continue
    const ours = await evaluate(expression)
    if (ours.startsWith('unknown')) {
      // An unbound name is unbound in Guile as well, or it is one that we lack.
      if (golden[at] !== 'E unbound-variable') left.push(expression)
    } else if (ours !== golden[at]) wrong.push(`${expression}\n  Guile: ${golden[at]}\n  here:  ${ours}`)
  }
  expect(wrong).toEqual([])
  expect(left).toEqual([
    '(format #f "~(ABC~) ~:@(abc~) ~:(hello world~)" )', '(eval-string "1")', '(provided? \'posix)', '(format #f "~:(hello world~)")', '(format #f "~@(hello world~)")',
    '(let ((h (make-hash-table))) (hashq-set! h "a" 1) (hashq-ref h "a"))',
  ])
})
