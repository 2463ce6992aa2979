import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OffloadError } from '../../../src/errors/offload-error.js'
import { maxDepth, maxSourceBytes, parseSexp } from '../../../src/trust/parse-sexp.js'
import { printAdvanced, printCanonical, printInline } from '../../../src/trust/print-sexp.js'
import { atom, list } from '../../../src/trust/sexp.js'
import type { Sexp } from '../../../src/trust/sexp.js'
import { golden, origin, signatures } from './golden.js'

const canonical = (source: Uint8Array | string): string => printCanonical(parseSexp(source, origin).root).toString('latin1')

const octets = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ maxLength: 40, unit: fc.constantFrom(...'abzAZ019-./_:*+= "\'\\#|()[]\b\t\v\n\f\r\xa0\xa1\xff') }).map((text) => Buffer.from(text, 'latin1')),
)
const { sexp } = fc.letrec<{ sexp: Sexp }>((tie) => ({
  sexp: fc.oneof({ maxDepth: 5 }, octets.map((bytes) => atom(bytes)), fc.array(tie('sexp'), { maxLength: 5 }).map((items) => list(...items))),
}))

describe('reading s-expressions', () => {
  it.each([
    ['tokens', '(a -b ./c_:*+= d1)', '(1:a2:-b8:./c_:*+=2:d1)'],
    ['canonical', '(4:data(3:a b2:\0\xff))', '(4:data(3:a b2:\0\xff))'],
    ['hexadecimal with white space', '#0A\n fF#', '2:\x0a\xff'],
    ['base64', '|AAEC/w==|', '4:\0\x01\x02\xff'],
    ['base64 with white space', '|AAEC\n/w==|', '4:\0\x01\x02\xff'],
    ['escapes', '"\\b\\t\\v\\n\\f\\r\\"\\\'\\\\\\x41\\101\\377"', '12:\b\t\v\n\f\r"\'\\AA\xff'],
    ['continued lines', '"a\\\nb\\\r\nc\\\n\rd\\\re"', '5:abcde'],
    ['lengths', '3"abc"', '3:abc'],
    ['nothing', '(""##())', '(0:0:())'],
    ['white space around', ' \t\v\f\r\n(a)\n', '(1:a)'],
  ])('%s', (_name, source, expected) => {
    expect(canonical(source)).toBe(expected)
  })

  it.each([
    ['nothing at all', '', '1:1'],
    ['no end', '(a\n (b', '2:4'],
    ['an end too many', '(a))', '1:4'],
    ['two expressions', '(a)\n(b)', '2:1'],
    ['odd hexadecimal digits', '(a #ABC#)', '1:4'],
    ['something else than hexadecimal digits', '(a #AG#)', '1:4'],
    ['hexadecimal without end', '(a #AB)', '1:4'],
    ['base64 with bits left over', '|AB==|', '1:1'],
    ['base64 without padding', '|AAE|', '1:1'],
    ['quoted string without end', '"abc', '1:1'],
    ['unknown escape', '"a\\q"', '1:3'],
    ['octal escape above a byte', '"\\400"', '1:2'],
    ['leading zero', '01:a', '1:1'],
    ['too long for the data', '(9:abc)', '1:2'],
    ['a wrong length', '4"abc"', '1:1'],
    ['a huge length', '99999999999999999999:a', '1:1'],
    ['a length and nothing', '12', '1:3'],
    ['a display hint', '([text/plain]a)', '1:2'],
    ['reserved punctuation', '(a & b)', '1:4'],
    ['transport form', '{KDE6YSk=}', '1:1'],
    ['a zero byte', '(a \0)', '1:4'],
  ])('refuses %s', (_name, source, position) => {
    expect(() => parseSexp(source, origin)).toThrowError(expect.objectContaining({
      code: 'malformed-test', fault: 'trust', report: expect.objectContaining({ subject: `test:${position}` }) as unknown,
    }))
  })

  it('limits depth, size and length', () => {
    const nested = (depth: number): string => '('.repeat(depth) + ')'.repeat(depth)
    expect(canonical(nested(maxDepth))).toBe(nested(maxDepth))
    expect(() => parseSexp(nested(maxDepth + 1), origin)).toThrow('lists inside each other')
    expect(() => parseSexp('('.repeat(1_000_000), origin)).toThrow('lists inside each other')
    expect(() => parseSexp(Buffer.alloc(maxSourceBytes + 1, 'a'), origin)).toThrow('too long')
    expect(() => parseSexp('a'.repeat(65_536), origin)).toThrow('octet string of more than')
    expect(() => parseSexp(`(${'()'.repeat(200_000)})`, origin)).toThrow('expressions')
  })

  it('refuses text that is not bytes', () => {
    expect(() => parseSexp('(a €)', origin)).toThrow('not a byte')
  })

  it('quotes nothing of what it reads', () => {
    const message = ((): string => {
      try {
        parseSexp('(d #00SECRET#)', origin)
        return ''
      } catch (error) {
        return String(error)
      }
    })()
    expect(message).toContain('test:1:4')
    expect(message).not.toContain('SECRET')
  })

  it('gives back what was printed in any form', () => {
    fc.assert(fc.property(sexp, (value) => {
      const expected = printCanonical(value).toString('latin1')
      expect(canonical(expected)).toBe(expected)
      expect(canonical(printAdvanced(value))).toBe(expected)
      expect(canonical(printInline(value))).toBe(expected)
    }))
  })

  it('fails only with our errors, whatever it is given', () => {
    const attempt = (source: Uint8Array): void => {
      try {
        parseSexp(source, origin)
      } catch (error) {
        expect(error).toBeInstanceOf(OffloadError)
      }
    }
    const sources = signatures.slice(0, 20).map(({ signature }) => Buffer.from(signature, 'latin1'))
    fc.assert(fc.property(fc.constantFrom(...sources), fc.array(fc.tuple(fc.nat(500), fc.nat(255)), { minLength: 1, maxLength: 4 }), (source, changes) => {
      const mutated = Buffer.from(source)
      for (const [at, byte] of changes) mutated[at % mutated.length] = byte
      attempt(mutated)
      attempt(mutated.subarray(0, (changes[0]?.[0] ?? 0) % mutated.length))
    }))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt))
  })
})

describe('printing as libgcrypt does', () => {
  it.each(['ecc.pub', 'ecc.sec', 'rsa.pub', 'rsa.sec', 'acl'])('%s', (name) => {
    expect(printAdvanced(parseSexp(golden(name), origin).root).toString('latin1')).toBe(golden(name).toString('latin1'))
  })

  it('signatures with hashes of every look', () => {
    const printed = signatures.map(({ signature }) => printAdvanced(parseSexp(signature, origin).root).toString('latin1'))
    expect(printed).toEqual(signatures.map(({ signature }) => signature))
    expect(signatures.some(({ signature }) => signature.includes('\xe4'))).toBe(true)
  })

  it('atoms between lists', () => {
    expect(printAdvanced(parseSexp('((a b)c(d)())', origin).root).toString()).toBe('(\n (a b)\n c \n (d)\n ()\n )\n')
  })
})
