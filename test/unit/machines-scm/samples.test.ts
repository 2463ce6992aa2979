import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { contextFor, failing, fixture, hostFor, listing } from './host.js'
import { createSource } from '../../../plugins/machines-scm/src/source.js'

const subject = async (name: string): Promise<string> => {
  const { report, code } = await failing(name)
  return `${code} ${basename(report.subject ?? '')}: ${report.problem}`
}

test('the form of the manual', async () => {
  const { machines, engine } = await listing('01-plain.scm')
  expect(engine).toBe('built-in')
  expect(machines).toMatchObject([
    { name: 'fast.example.org', port: 22, systems: ['x86_64-linux', 'i686-linux'], user: 'bob', speed: 2, overloadThreshold: 0.8, parallelBuilds: 1, features: [], location: { line: 2, column: 6 } },
    { name: 'arm.example.org', systems: ['aarch64-linux'], user: 'alice', privateKey: '/home/bob/.ssh/identity-for-guix', location: { line: 8, column: 6 } },
  ])
  expect(machines[0]?.privateKey).toBeUndefined()
  expect(machines[0]?.compression).toBeUndefined()
})

test('the deprecated field works, with a warning that has a place', async () => {
  const { machines, warnings } = await listing('02-deprecated-system.scm')
  expect(machines).toMatchObject([{ systems: ['mips64el-linux'], port: 2222 }])
  expect(warnings.find(({ code }) => code === 'deprecated-system')).toMatchObject({ location: { line: 2, column: 6 } })
})

test('definitions, comments of all kinds, inheritance over two steps', async () => {
  const { machines } = await listing('03-defines-and-inherit.scm')
  expect(machines).toMatchObject([
    { name: 'hot', speed: 1.4, parallelBuilds: 4, features: ['kvm', 'big-parallel'], privateKey: '/etc/guix/offload/ssh/identity', location: { line: 9, column: 13 } },
    { name: 'cold', speed: 1.4, parallelBuilds: 1, features: [], user: 'offload', systems: ['x86_64-linux'], location: { line: 10, column: 13 } },
  ])
})

test('the file that Guix System writes', async () => {
  expect((await listing('04-guix-system.scm')).machines.map(({ name }) => name)).toEqual(['one', 'two', 'three'])
})

test('a host key from a file', async () => {
  const { machines, warnings } = await listing('05-key-from-file.scm')
  expect(machines).toMatchObject([{ name: 'localhost', port: 10022, overloadThreshold: 1.8, privateKey: '/etc/guix/offload/ssh/childhurd' }])
  expect(warnings).toMatchObject([{ code: 'host-key-undecodable' }])
})

test.each([
  ['06-module-header.scm', ['node-1.cluster', 'node-2.cluster', 'node-3.cluster', 'node-4.cluster', 'node-5.cluster']],
  ['07-table.scm', ['m1', 'm2']],
  ['08-conditional.scm', ['alpha', 'beta']],
  ['09-guard.scm', ['guarded']],
  ['10-procedures.scm', ['A.example.org', 'B.example.org', 'C.example.org']],
  ['11-empty.scm', []],
])('%s lists its machines', async (name, names) => {
  expect((await listing(name)).machines.map((machine) => machine.name)).toEqual(names)
})

test('what is said of a machine reaches it', async () => {
  const { machines } = await listing('08-conditional.scm')
  expect(machines).toMatchObject([
    { port: 2222, systems: ['x86_64-linux'], compression: 'none', compressionLevel: 0, daemonSocket: '/var/guix/other/socket', overloadThreshold: null },
    { port: 22, systems: ['x86_64-linux', 'i686-linux'] },
  ])
})

test.each([
  ['err-missing-field.scm', 'machine-file-syntax err-missing-field.scm:1:6: missing field initializers (host-key)'],
  ['err-unknown-field.scm', 'machine-file-syntax err-unknown-field.scm:2:1: extraneous field initializers (ssh-options)'],
  ['err-unbound.scm', 'machine-file-unknown err-unbound.scm:1:27: Unbound variable: my-name'],
  ['err-gexp.scm', 'machine-file-syntax err-gexp.scm:1:6: a gexp belongs in the operating-system declaration, not in the machine file'],
  ['err-unbalanced.scm', 'machine-file-read err-unbalanced.scm:3:1: end of file; the bracket opened at line 1, column 6 is never closed'],
])('%s fails with a place', async (name, expected) => {
  expect(await subject(name)).toBe(expected)
})

test('a value that is no list is a warning and no machines', async () => {
  const { machines, warnings } = await listing('err-not-a-list.scm')
  expect(machines).toEqual([])
  expect(warnings).toMatchObject([{ code: 'machine-file-not-a-list', dropped: true, location: { line: 1, column: 0 } }])
})

test('wrong types: every one with the place of its clause', async () => {
  const { machines, warnings } = await listing('err-wrong-types.scm')
  expect(machines).toEqual([])
  const wrong = warnings.filter(({ dropped }) => dropped === true)
  expect(wrong.map(({ location }) => `${location?.line}:${location?.column}`)).toEqual(['2:21', '1:36', '2:33', '2:54'])
  expect(wrong[0]?.message).toBe('machine \'typed\' left out: port must be an integer from 1 to 65535, but is "22"')
})

test('no machine file: no machines, unless the user named it', async () => {
  const source = createSource(hostFor())
  expect(await source.list(contextFor())).toEqual({ machines: [], warnings: [] })
  await expect(source.list(contextFor(fixture('not-there.scm')))).rejects.toMatchObject({ code: 'machine-file-missing', fault: 'configuration' })
})
