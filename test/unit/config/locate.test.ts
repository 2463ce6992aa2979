import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { locator } from '../../../src/config/locate.js'

const yaml = `# comment
transport: ssh2
timeouts: { connect: 10s,
  stall: 1m }
sources:
  - a
  - b
machines:
  "b*":
    hostKeys: [x, y]
`

describe('the place of a key', () => {
  const locate = locator(yaml)
  it.each([
    [['transport'], 2, 1], [['timeouts', 'connect'], 3, 13], [['timeouts', 'stall'], 4, 3], [['sources'], 5, 1], [['sources', '1'], 7, 5],
    [['machines', 'b*'], 9, 3], [['machines', 'b*', 'hostKeys', '1'], 10, 19],
    // The nearest one around it.
    [['timeouts', 'connect', 'deeper'], 3, 13], [['machines', 'b*', 'missing'], 9, 3],
  ])('%j', (path, line, column) => {
    expect(locate(path)).toEqual({ line, column })
  })

  it('is unknown where nothing is written', () => {
    expect(locate(['scheduler'])).toBeUndefined()
    expect(locate([])).toBeUndefined()
    expect(locator('')(['transport'])).toBeUndefined()
  })

  it('is found in JSON, for every key', () => {
    fc.assert(fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.integer(), { minKeys: 1, maxKeys: 5 }), (object) => {
      const text = JSON.stringify(object, undefined, 2)
      const lines = text.split('\n')
      for (const [index, key] of Object.keys(object).entries()) {
        expect(locator(text)([key])).toEqual({ line: index + 2, column: 3 })
        expect(lines[index + 1]).toContain(JSON.stringify(key))
      }
    }))
  })
})
