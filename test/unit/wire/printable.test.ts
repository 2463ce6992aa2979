import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable } from '../../../src/wire/printable.js'

test.each([
  ['naïve', '"naïve"'],
  ['', '""'],
  ['line\nbreak', '"line\\x0abreak"'],
  [Buffer.from([0x61, 0xff]), '"a\\xff"'],
  ['right\u202eleft', '"right\\xe2\\x80\\xaeleft"'],
  ['x'.repeat(121), `"${'x'.repeat(120)}…"`],
])('shows %j as %s', (bytes, shown) => {
  expect(printable(bytes)).toBe(shown)
})

test('never shows a control character and stays short', () => {
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary' })), (bytes) => {
    const shown = printable(bytes)
     
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
    expect(shown.length).toBeLessThan(500)
  }))
})
