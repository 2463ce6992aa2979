import fc from 'fast-check'
import { expect, test } from 'vitest'
import { print } from '../../../src/scheme/printer.js'
import { Reader } from '../../../src/scheme/reader.js'
import { Abort } from '../../../src/scheme/throw.js'
import { NIL, Pair, Vector, character, intern, keyword, list, type SourcePair, type Value } from '../../../src/scheme/value.js'

const one = (text: string): Value => new Reader(text, 'f').next()?.value ?? false
const problem = (text: string): string => {
  try {
    const reader = new Reader(text, 'f')
    while (reader.next() !== undefined);
    return 'none'
  } catch (error) {
    if (!(error instanceof Abort)) throw error
    return `${error.kind} ${error.place?.line}:${error.place?.column} ${error.problem}`
  }
}

test('every datum of a list knows its place', () => {
  const outer = one('(a\n   (b "c")\n #;x . d)') as SourcePair
  expect(outer).toMatchObject({ start: { line: 1, column: 0 }, item: { line: 1, column: 1 } })
  const second = outer.cdr as SourcePair
  expect(second.item).toMatchObject({ line: 2, column: 3 })
  expect(second.start).toBeUndefined()
  expect((second.car as SourcePair).start).toMatchObject({ line: 2, column: 3 })
  expect(((second.car as SourcePair).cdr as SourcePair).item).toMatchObject({ line: 2, column: 6 })
})

test('places count on after strings and comments of several lines', () => {
  const reader = new Reader('"a\nb" #|\n\n|# #!x\n!# ;\n  here', 'f')
  reader.next()
  expect(reader.next()?.place).toEqual({ file: 'f', line: 6, column: 2 })
})

test.each([
  ['(a', 'read 1:3 end of file; the bracket opened at line 1, column 0 is never closed'],
  ['(a\n(b]', 'read 2:3 "]" where ")" must close the bracket opened at line 2, column 0'],
  [')', 'read 1:1 ")" without an opening bracket'],
  ['"abc', 'read 1:5 end of file; the string that starts at line 1, column 0 is never closed'],
  ['"\\q"', 'read 1:3 unknown escape "\\q" in a string'],
  ['#| x', 'read 1:5 end of file in the comment that starts at line 1, column 0'],
  ['#;', 'read 1:3 end of file where "#;" wants something to leave out'],
  ['(a . b c)', 'read 1:8 ")" must follow what comes after the dot'],
  ['#\\nonsense', 'read 1:11 unknown character "#\\nonsense"'],
  ['#vu8(1)', 'unknown 1:0 "#vu8" is not known here'],
  ['\'', 'read 1:2 end of file after "\'"'],
])('%s is refused with a place', (text, expected) => {
  expect(problem(text)).toBe(expected)
})

test('gexps are read as the forms they stand for', () => {
  expect(print(one('#~(a #$b #$@c #+d)'), true)).toBe('(gexp (a (ungexp b) (ungexp-splicing c) (ungexp-native d)))')
})

const atom = fc.oneof(
  fc.bigInt().map((value): Value => value),
  fc.double({ noNaN: true }).map((value): Value => value),
  fc.boolean().map((value): Value => value),
  fc.string({ unit: 'binary' }).filter((text) => !/[\ud800-\udfff]/.test(text)).map((value): Value => value),
  fc.stringMatching(/^[a-z!$%&*/<=>?^_~][a-z0-9.+-]{0,8}$/).map((name): Value => intern(name)),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/).map((name): Value => keyword(name)),
  fc.integer({ min: 33, max: 126 }).map((code): Value => character(code)),
)
const datum = fc.letrec<{ datum: Value }>((tie) => ({
  datum: fc.oneof(
    { depthSize: 'small' },
    atom,
    fc.array(tie('datum'), { maxLength: 5 }).map((all) => list(all)),
    fc.tuple(fc.array(tie('datum'), { minLength: 1, maxLength: 3 }), atom).map(([all, tail]) => list(all, tail)),
    fc.array(tie('datum'), { maxLength: 4 }).map((all): Value => new Vector(all)),
  ),
})).datum

test('what is written is read again', () => {
  fc.assert(fc.property(datum, (value) => {
    const text = print(value, true)
    expect(print(one(text), true)).toBe(text)
  }))
})

test('any text is read or refused with a place in it', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[()[\]'`,@#;|"\\. a1\n]*$/)), (text) => {
    const reader = new Reader(text, 'f')
    try {
      while (reader.next() !== undefined);
    } catch (error) {
      if (!(error instanceof Abort)) throw error
      expect(error.place?.line).toBeLessThanOrEqual(text.split('\n').length)
    }
  }))
})

test('a list without anything is the empty list', () => {
  expect(one('()')).toBe(NIL)
  expect(one('(a)')).toBeInstanceOf(Pair)
})
