import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failures } from '../../../plugins/ssh-common/src/failures.js'
import { describeKey, hostAcl, parseHostKey, pinnedKeys } from '../../../plugins/transport-lsh/src/host-key.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import type { BuildMachine } from '../../../src/plugin-api/index.js'
import { buildMachine } from '../../support/plugin-host.js'
import { generateKey } from '../../support/sshd.js'

const run = promisify(execFile)
let folder: string
let rsa: string
let ed25519: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guix-offload-lsh-keys-'))
  rsa = await generateKey(join(folder, 'rsa'), 'rsa')
  ed25519 = await generateKey(join(folder, 'ed25519'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const pins = (fields: Partial<BuildMachine>) => {
  const machine = buildMachine({ hostKey: rsa, ...fields })
  return pinnedKeys(machine, new Failures(errorFactory, machine))
}

describe('a line', () => {
  it('is read with or without comment and newline', async () => {
    const key = parseHostKey(`${rsa}\n`)
    if (typeof key === 'string') throw new Error(key)
    const { stdout } = await run('ssh-keygen', ['-l', '-f', join(folder, 'rsa.pub')])
    expect(describeKey(key.blob)).toBe(`ssh-rsa ${stdout.split(' ')[1] ?? ''}`)
    expect(parseHostKey(rsa.split(' ').slice(0, 2).join(' '))).toEqual(key)
  })

  it.each([
    ['', 'empty'],
    ['ssh-rsa', 'missing'],
    ['ssh-rsa !!!', 'not base64'],
    ['ssh-rsa AAAA', 'damaged'],
    ['ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB', 'damaged'],
    ['ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB', 'of type ssh-rsa'],
  ])('%j is refused: %s', (line, why) => {
    expect(parseHostKey(line)).toContain(why)
  })
})

describe('of a machine', () => {
  it('RSA keys are used, wherever they stand', () => {
    expect(pins({}).map(({ type }) => type)).toEqual(['ssh-rsa'])
    expect(pins({ hostKey: ed25519, settings: { hostKeys: [rsa] } }).map(({ type }) => type)).toEqual(['ssh-rsa'])
  })

  it('a key of another type alone is of no use, and it says where it stands', () => {
    expect(() => pins({ hostKey: ed25519, location: { file: '/etc/guix/machines.scm', line: 3, column: 1 } }))
      .toThrow(/\/etc\/guix\/machines\.scm:3:1.*lsh checks RSA keys only, and this is of type ssh-ed25519/)
  })
})

it('the access control list says the same as what lsh makes of the key, for the name turned around', async () => {
  const text = async (command: string, input: string | Buffer): Promise<string> => {
    const child = run('sh', ['-c', command])
    child.child.stdin?.end(input)
    return (await child).stdout.replace(/\s+/g, ' ').trim()
  }
  const subject = await text('ssh-conv 2>/dev/null | sexp-conv -s advanced -w 0', `${rsa}\n`)
  const acl = hostAcl(pins({}), '10.0.0.127')
  expect((await text('sexp-conv -s advanced -w 0', acl)).replaceAll(' ', '')).toBe(`(acl (entry (subject ${subject})(tag (ssh-hostkey "127.0.0.10"))))`.replaceAll(' ', ''))
  expect(hostAcl(pins({}), 'build.example.org').toString('latin1')).toContain('17:org.example.build')
})
