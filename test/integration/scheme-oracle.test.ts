import { mkdtemp, rm, writeFile, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { guixRoot, inGuix } from '../support/guix-overlay.js'
import { describeOnBed } from '../testbed/describe-on-bed.js'
import { evaluate } from '../support/scheme-expressions.js'

const VERSION = '1.5.0'
const PROGRAMS = 1500

const call = (name: string, ...args: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...args).map((texts) => `(${[name, ...texts].join(' ')})`)
const oneOf = (...names: string[]): fc.Arbitrary<string> => fc.constantFrom(...names)
const applied = (names: fc.Arbitrary<string>, ...args: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(names, ...args).map((texts) => `(${texts.join(' ')})`)

/** Programs out of numbers, strings, lists and booleans. Mostly of the right types, so that most have a value. */
const { program } = fc.letrec<Record<'number' | 'string' | 'list' | 'boolean' | 'any' | 'program', string>>((tie) => {
  const [number, string, list, boolean, any] = (['number', 'string', 'list', 'boolean', 'any'] as const).map((name) => tie(name)) as [fc.Arbitrary<string>, fc.Arbitrary<string>, fc.Arbitrary<string>, fc.Arbitrary<string>, fc.Arbitrary<string>]
  const small = oneOf('0', '1', '2', '3')
  const char = oneOf('#\\a', '#\\b', '#\\space', '#\\,')
  const unary = oneOf('(lambda (x) (list x x))', 'number->string', '(lambda (x) (+ x 1))', 'pair?', 'identity', '(cut list <> 1)', '(const 7)')
  const predicate = oneOf('number?', 'string?', 'even?', '(lambda (x) (and (number? x) (> x 1)))', 'pair?', '(negate string?)', '(const #t)')
  return {
    number: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      oneOf('0', '1', '-1', '2', '7', '10', '1/2', '-3/4', '1.5', '-0.25', '100.0', '12345678901234567890'),
      applied(oneOf('+', '-', '*', 'max', 'min'), number, number),
      applied(oneOf('quotient', 'remainder', 'modulo', 'gcd', 'floor-quotient', '/'), number, number),
      applied(oneOf('abs', '1+', '1-', '-', 'round', 'floor', 'truncate', 'ceiling', 'exact->inexact', 'inexact->exact'), number),
      call('length', list), call('string-length', string), call('fold', fc.constant('+'), fc.constant('0'), list), call('if', boolean, number, number),
      call('let', number.map((value) => `((x ${value}))`), fc.constant('(* x x)')),
    ),
    string: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      oneOf('""', '"a"', '"Hello, World"', '"a,b,,c"', '"  pad "', '"é"'),
      call('string-append', string, string), call('number->string', number), applied(oneOf('string-upcase', 'string-downcase', 'string-reverse', 'string-trim', 'string-trim-both', 'string-capitalize'), string),
      call('substring', string, small), call('string-pad', string, oneOf('0', '3', '8')), call('string-pad-right', string, oneOf('0', '3', '8')), call('string-join', list, oneOf('", "', '""')),
      call('format', fc.constant('#f'), oneOf('"~a"', '"~s"', '"<~5a>"', '"~a~%"', '"~10@a|"'), any), call('object->string', any), call('string-filter', oneOf('char-alphabetic?', 'char-numeric?', '#\\a'), string),
      call('list->string', call('string->list', string)), call('symbol->string', oneOf('\'abc', '\'x')), call('string-take', string, small), call('string-drop-right', string, small),
    ),
    list: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      oneOf('\'()', '\'(1 2 3)', '\'("b" "a")', '\'(a (b 2) "c")', '(iota 4)', '\'((x . 1) (y . 2))'),
      call('list', any, any), call('cons', any, list), call('append', list, list), call('reverse', list), call('map', unary, list), call('filter', predicate, list), call('remove', predicate, list),
      call('string-split', string, char), call('string-tokenize', string), call('list-tail', list, small), call('list-head', list, small), call('delete', any, list), call('delete-duplicates', list),
      call('append-map', fc.constant('(lambda (x) (list x x))'), list), call('filter-map', fc.constant('(lambda (x) (and (number? x) (* x x)))'), list), call('take-while', predicate, list), call('drop-while', predicate, list),
      call('sort', fc.constant('\'(3 1 2)'), oneOf('<', '>')), call('string->list', string), call('call-with-values', call('lambda ()', call('partition', predicate, list)), fc.constant('list')),
      fc.tuple(any, list).map(([a, b]) => `\`(1 ,${a} ,@${b})`), call('let loop', fc.constant('((n 3) (acc \'()))'), fc.constant('(if (= n 0) acc (loop (- n 1) (cons n acc)))')),
    ),
    boolean: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      oneOf('#t', '#f'), applied(oneOf('=', '<', '>=', '<='), number, number), applied(oneOf('string=?', 'string<?', 'string-prefix?', 'string-suffix?'), string, string), call('equal?', any, any), call('not', any), call('null?', list),
      call('and', any, boolean), call('or', boolean, any), call('any', predicate, list), call('every', predicate, list), call('string-contains', string, string), call('member', any, list), call('string-index', string, char),
    ),
    any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, number, string, list, boolean, oneOf('\'sym', '#:key', '#\\a', '#(1 2)'), fc.tuple(list).map(([value]) => `(match ${value} ((a b . rest) (list b a rest)) ((a) a) (_ 'other))`)),
    program: fc.oneof(any, any, any, fc.tuple(any).map(([value]) => `(catch #t (lambda () ${value}) (lambda (key . args) key))`), fc.tuple(any).map(([value]) => `(guard (c (#t 'caught)) ${value})`)),
  }
})

describeOnBed('programs made at random', () => {
  test('give what they give in Guile, fail where they fail there, or are left to it', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const programs = fc.sample(program, { numRuns: PROGRAMS, seed })
    const folder = await mkdtemp(join(tmpdir(), 'scheme-oracle-'))
    try {
      await writeFile(join(folder, 'programs.scm'), programs.map((text) => `${text}\n`).join(''))
      await copyFile(new URL('../fixtures/scheme/evaluate.guile', import.meta.url), join(folder, 'evaluate.guile'))
      const output = await inGuix((await guixRoot(VERSION)) ?? '', folder, ['guile', join(folder, 'evaluate.guile'), join(folder, 'programs.scm')])
      const theirs = output.split('\n').filter((line) => line.startsWith('@@')).map((line) => line.slice(2))
      expect(theirs).toHaveLength(programs.length)
      const wrong: string[] = []
      let left = 0
      for (const [at, text] of programs.entries()) {
        const ours = await evaluate(text)
        if (ours.startsWith('unknown')) left++
        else if (ours !== theirs[at]) wrong.push(`${text}\n  Guile: ${theirs[at]}\n  here:  ${ours}`)
      }
      expect(wrong, `seed ${seed}`).toEqual([])
      expect(left).toBeLessThan(PROGRAMS / 20)
      expect(theirs.filter((line) => line.startsWith('V')).length).toBeGreaterThan(PROGRAMS / 3)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
