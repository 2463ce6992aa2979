import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteCommand, quoteWord } from '../../../plugins/ssh-common/src/quote.js'

describe('quoteCommand', () => {
  it('leaves harmless words readable', () => {
    expect(quoteCommand(['/usr/bin/guix', 'repl', '-t', 'machine', '--a=b'])).toBe('/usr/bin/guix repl -t machine --a=b')
  })

  it('quotes what a shell would take apart', () => {
    expect(quoteWord('')).toBe('\'\'')
    expect(quoteWord('it\'s')).toBe('\'it\'\\\'\'s\'')
    // An assignment in front of a command; in some shells the path of a command; a home folder.
    expect(quoteWord('PATH=/x')).toBe('\'PATH=/x\'')
    expect(quoteWord('=x')).toBe('\'=x\'')
    expect(quoteWord('~')).toBe('\'~\'')
  })

  it('makes every word arrive unchanged in a POSIX shell', () => {
    const word = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', ''))
    fc.assert(fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const out = execFileSync('sh', ['-c', quoteCommand(['printf', '%s\\0', ...words, 'end'])]).toString()
      expect(out).toBe([...words, 'end', ''].join('\0'))
    }), { numRuns: 40 })
  })

  it('refuses what no command line can carry', () => {
    expect(() => quoteCommand([])).toThrow(RangeError)
    expect(() => quoteCommand(['echo', 'a\0b'])).toThrow(RangeError)
  })
})
