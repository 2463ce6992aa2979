import { describe, expect, it } from 'vitest'
import { Failures } from '../../../plugins/ssh-common/src/failures.js'
import { knownHosts, parseHostKey, pinnedKeys } from '../../../plugins/transport-openssh/src/host-key.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import { buildMachine } from '../../support/plugin-host.js'

const base64 = 'AAAAC3NzaC1lZDI1NTE5AAAAIIRp6LdRC9yWDEnXxYqOjR4CLLwD0sDlSVDUhHSZu8bE'
const line = `ssh-ed25519 ${base64}`

describe('parseHostKey', () => {
  it('reads a line with a comment and odd spaces', () => {
    expect(parseHostKey(` ssh-ed25519\t${base64}  root@b1 \n`)).toEqual({ type: 'ssh-ed25519', base64, fingerprint: 'SHA256:IaldKNzSIkY98TdJAWV5MepRC9l8UP4qOUGy1lU4YVU' })
  })

  it.each([
    ['', 'empty'],
    [`${line}\n${line}`, 'more than one line'],
    [`b1 ${line}`, 'starts with a host name'],
    ['ssh-dss AAAA', 'not one we can check'],
    ['ssh-ed25519', 'missing'],
    ['ssh-ed25519 not/a=key', 'not base64'],
    [`ssh-rsa ${base64}`, 'says ssh-rsa'],
    ['ssh-ed25519 AAAA', 'does not'],
  ])('says what is wrong with %j', (text, problem) => {
    expect(parseHostKey(text)).toContain(problem)
  })
})

it('writes known_hosts with the pinned keys and nothing of their comments', () => {
  const machine = buildMachine({ hostKey: `${line} * evil,host ssh-rsa`, settings: { hostKeys: [line] } })
  expect(knownHosts(pinnedKeys(machine, new Failures(errorFactory, machine)))).toBe(`pinned ${line}\npinned ${line}\n`)
})
