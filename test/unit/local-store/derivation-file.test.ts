import fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { directInputs, parseDerivation, readDerivation } from '../../../src/local-store/derivation-file.js'

const real =
  'Derive([("lib","/gnu/store/b-lib","",""),("out","/gnu/store/a-out","sha256","00ff")],[("/gnu/store/c.drv",["out","doc"])],' +
  '["/gnu/store/s1","/gnu/store/s2"],"x86_64-linux","/gnu/store/t/sh",["-c","echo \\"hi\\"\\n"],[("name","x"),("v","a\\\\b")])'

describe('derivation files', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'derivations-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('reads outputs, inputs and system', () => {
    const derivation = parseDerivation(real)
    expect([...derivation.outputs]).toEqual([['lib', '/gnu/store/b-lib'], ['out', '/gnu/store/a-out']])
    expect([...derivation.inputDerivations]).toEqual([['/gnu/store/c.drv', ['out', 'doc']]])
    expect(derivation.inputSources).toEqual(['/gnu/store/s1', '/gnu/store/s2'])
    expect(derivation.system).toBe('x86_64-linux')
    expect([...derivation.environment]).toEqual([['name', 'x'], ['v', 'a\\b']])
  })

  it('undoes the escapes of strings', () => {
    expect(parseDerivation('Derive([],[],["a\\n\\t\\r\\"\\\\z"],"s","b",[],[])').inputSources).toEqual(['a\n\t\r"\\z'])
  })

  it('says where a file is malformed, whatever is cut off', () => {
    for (let end = 0; end < real.length; end += 1) {
      expect(() => parseDerivation(real.slice(0, end), 'x.drv')).toThrow(ProtocolError)
      expect(() => parseDerivation(real.slice(0, end), 'x.drv')).toThrow(/x\.drv: reading a derivation: malformed at byte \d+/)
    }
  })

  it('fails only in its own way', () => {
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.string(), (at, put) => {
        try {
          parseDerivation(real.slice(0, at) + put + real.slice(at + put.length))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })

  it('refuses bottomless nesting', () => {
    expect(() => parseDerivation(`Derive(${'['.repeat(100_000)}`)).toThrow(/less nesting/)
  })

  it('names the outputs that input derivations are needed for, and the sources', () => {
    const input = join(folder, 'input.drv')
    writeFileSync(input, 'Derive([("doc","/gnu/store/1-doc","",""),("out","/gnu/store/1","","")],[],[],"s","b",[],[])')
    writeFileSync(join(folder, 'top.drv'), `Derive([],[("${input}",["out"])],["/gnu/store/src"],"s","b",[],[])`)
    expect(directInputs(readDerivation(join(folder, 'top.drv')))).toEqual(['/gnu/store/1', '/gnu/store/src'])
  })
})
