import { describe, expect, it } from 'vitest'
import { serviceAssignments, words } from '../../../../src/offload/setup/unit-file.js'

describe('a unit file', () => {
  it('yields the assignments of its service section, continued lines joined, comments gone', () => {
    const text = '[Unit]\nUser=nobody\n# [Service]\n[Service]\nExecStart=/bin/a \\\n  # in between\n  --b\n; User=x\nUser = guix\nEnvironment=\n[Install]\nUser=z\n'
    expect(serviceAssignments(text)).toEqual([['ExecStart', '/bin/a  --b'], ['User', 'guix'], ['Environment', '']])
  })

  it('keeps a continuation that the file ends in', () => {
    expect(serviceAssignments('[Service]\nA=b \\')).toEqual([['A', 'b']])
  })

  it.each([
    ['A=b C=d', ['A=b', 'C=d']],
    ['"A=b c" \'D=e f\'', ['A=b c', 'D=e f']],
    ["'GUIX_LOCPATH=/x' LC_ALL=en", ['GUIX_LOCPATH=/x', 'LC_ALL=en']],
    ['"A=\\"q\\""', ['A="q"']],
    ['', []],
  ])('splits %s into words', (value, expected) => {
    expect(words(value)).toEqual(expected)
  })
})
