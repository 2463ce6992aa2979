import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkHostKey } from '../../../plugins/machines-scm/src/host-key.js'
import { machinesIn } from '../../../plugins/machines-scm/src/machines-in.js'
import { offloadModule } from '../../../plugins/machines-scm/src/build-machine.js'
import { schemeToolkit } from '../../../src/scheme/toolkit.js'
import { worldOf } from '../scheme/run.js'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFK4+t8Rqwh2ToGOMxZDf19qG6IrQaQ+x78ZIbzKIIMT'

async function judge(text: string): Promise<ReturnType<typeof machinesIn>> {
  const outcome = await schemeToolkit.evaluate({ text, file: 'm.scm', modules: [offloadModule('/home/bob')], imports: ['(guix scripts offload)'] }, worldOf())
  if (outcome.failure !== undefined) throw new Error(outcome.failure.problem)
  return machinesIn(outcome.value, 'm.scm')
}
const machine = (clauses: string): string => `(build-machine (name "m") (systems '("x")) (user "u") (host-key "${KEY}") ${clauses})`
const complaints = async (clauses: string): Promise<string[]> => (await judge(`(list ${machine(clauses)})`)).warnings.map(({ message }) => message.replace('machine \'m\' left out: ', ''))

test('a machine in order has no warnings', async () => {
  expect(await judge(`(list ${machine('')})`)).toMatchObject({ machines: [{ name: 'm' }], warnings: [] })
})

test.each([
  ['(port 0)', 'port must be an integer from 1 to 65535, but is 0'],
  ['(port 65536)', 'port must be an integer from 1 to 65535, but is 65536'],
  ['(port 22.)', 'port must be an integer from 1 to 65535, but is 22.'],
  ['(parallel-builds 0)', 'parallel-builds must be a positive integer, but is 0'],
  ['(parallel-builds 1.5)', 'parallel-builds must be a positive integer, but is 1.5'],
  ['(speed 0)', 'speed must be a positive real number, but is 0'],
  ['(speed +nan.0)', 'speed must be a positive real number, but is NaN'],
  ['(overload-threshold "x")', 'overload-threshold must be a real number or #f, but is "x"'],
  ['(overload-threshold \'())', 'overload-threshold must be a real number or #f, but is ()'],
  ['(compression-level 10)', 'compression-level must be an integer from 0 to 9, but is 10'],
  ['(compression \'none)', 'compression must be a string that is not empty, but is none'],
  ['(features "kvm")', 'features must be a list of strings, but is "kvm"'],
  ['(features \'(kvm))', 'features must be a list of strings, but is (kvm)'],
  ['(private-key #f)', 'private-key must be a string that is not empty, but is #f'],
  ['(daemon-socket "")', 'daemon-socket must be a string that is not empty, but is ""'],
])('%s is refused', async (clauses, expected) => {
  expect(await complaints(clauses)).toEqual([expected])
})

test.each(['(speed 1/2)', '(overload-threshold #f)', '(overload-threshold 18/10)', '(compression-level 0)', '(port 65535)', '(features \'())', '(private-key "/k")'])('%s is fine', async (clauses) => {
  expect(await complaints(clauses)).toEqual([])
})

test('a ratio is a number', async () => {
  expect((await judge(`(list ${machine('(speed 3/2) (overload-threshold 1/4)')})`)).machines).toMatchObject([{ speed: 1.5, overloadThreshold: 0.25 }])
})

test('one bad entry does not take the others with it', async () => {
  const { machines, warnings } = await judge(`(list ${machine('')}\n 'never\n ${machine('(port 0)')} ${machine('(port 2)')})`)
  expect(machines.map(({ port }) => port)).toEqual([22, 2])
  expect(warnings).toMatchObject([
    { code: 'not-a-build-machine', dropped: true, message: 'item 2 of the list is no build machine but never; left out' },
    { code: 'machine-field-invalid', dropped: true, location: { file: 'm.scm', line: 3 } },
  ])
})

test('a machine without systems is left out, one with the old field warned of', async () => {
  const { machines, warnings } = await judge(`(list (build-machine (name "a") (user "u") (host-key "${KEY}")) (build-machine (name "b") (system "s") (user "u") (host-key "${KEY}")))`)
  expect(machines).toMatchObject([{ name: 'b', systems: ['s'] }])
  expect(warnings).toMatchObject([{ code: 'machine-field-missing', dropped: true }, { code: 'deprecated-system' }])
})

test('a wrong field that was inherited is shown where it was written', async () => {
  const { warnings } = await judge(`(define a\n ${machine('\n(port 0)')})\n(list (build-machine (inherit a) (name "b")))`)
  expect(warnings).toMatchObject([{ message: 'machine \'b\' left out: port must be an integer from 1 to 65535, but is 0', location: { line: 3, column: 0 } }])
})

test('host keys: a newline and a comment are fine, what does not decode is said', async () => {
  expect(checkHostKey(`${KEY} root@(none)\n`)).toEqual({})
  expect(checkHostKey('ssh-ed25519 AAAA').problem).toBe('what follows the key type is not a whole ssh-ed25519 key')
  expect(checkHostKey('vm\n').problem).toBe('"vm" is no key type')
  expect(checkHostKey(`${KEY}\n${KEY}`).problem).toBe('it is more than one line')
  expect(checkHostKey(KEY.replace('ssh-ed25519', 'ssh-rsa')).problem).toBe('what follows the key type is not a whole ssh-rsa key')
  const { machines, warnings } = await judge('(list (build-machine (name "m") (systems \'("x")) (user "u") (host-key "ssh-ed25519 AAAA c\n")))')
  expect(machines).toMatchObject([{ hostKey: 'ssh-ed25519 AAAA c' }])
  expect(warnings).toMatchObject([{ code: 'host-key-undecodable' }])
  expect(warnings[0]?.dropped).toBeUndefined()
})

test('no text makes the check of host keys fail', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String().map((text) => `ssh-ed25519 ${text}`)), (line) => {
    expect(typeof (checkHostKey(line).problem ?? '')).toBe('string')
  }))
})
