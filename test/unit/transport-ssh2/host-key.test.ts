import { describe, expect, it } from 'vitest'
import { Failures } from '../../../plugins/ssh-common/src/failures.js'
import { describeKey, hostKeyAlgorithms, hostKeyMismatch, keyType, parseHostKey, pinnedKeys } from '../../../plugins/transport-ssh2/src/host-key.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import type { OffloadFailure } from '../../../src/plugin-api/index.js'
import { buildMachine } from '../../support/plugin-host.js'

// The fingerprint is what `ssh-keygen -l` says.
const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMi7Cz4Ewk1tWfbiC9ehLAx+IMALMTFmHbGqV2dCLi4M'
const ed25519Fingerprint = 'SHA256:wKaA9WLBsRsIBOu71UY2qXGlNwn3zgOXAE0zP952wkA'
const base64 = ed25519.split(' ')[1] ?? ''

describe('parseHostKey', () => {
  it('reads one line with or without comment, newline and carriage return', () => {
    for (const line of [ed25519, `${ed25519}\n`, `${ed25519} root@build1 of the lab\r\n`, `  ${ed25519}\t`]) {
      const key = parseHostKey(line)
      expect(key).toMatchObject({ type: 'ssh-ed25519' })
      expect(typeof key === 'string' ? key : describeKey(key.blob)).toBe(`ssh-ed25519 ${ed25519Fingerprint}`)
    }
  })

  it.each([
    ['', 'empty'],
    [`${ed25519}\n${ed25519}`, 'more than one line'],
    [`build1 ${ed25519}`, 'host name'],
    ['ssh-ed25519', 'missing'],
    ['ssh-ed25519 AAAA*', 'not base64'],
    ['ssh-ed25519 AAAA', 'damaged'],
    [`ssh-rsa ${base64}`, 'says ssh-rsa but the key itself is of type ssh-ed25519'],
    ['ssh-dss AAAAB3NzaC1kc3M=', 'ssh-dss'],
    ['-----BEGIN PUBLIC KEY-----', 'PEM'],
  ])('says what is wrong with %j', (line, problem) => {
    expect(parseHostKey(line)).toEqual(expect.stringContaining(problem))
  })
})

describe('pinnedKeys', () => {
  const failure = (action: () => unknown): OffloadFailure => {
    try {
      action()
    } catch (error) {
      return error as OffloadFailure
    }
    throw new Error('it succeeded')
  }

  it('says where a key that cannot be used stands', () => {
    const machine = buildMachine({ hostKey: 'nonsense', location: { file: '/etc/guix/machines.scm', line: 3, column: 5 } })
    expect(failure(() => pinnedKeys(machine, new Failures(errorFactory, machine)))).toMatchObject({ code: 'host-key-invalid', fault: 'configuration', retry: 'other-machine', report: { subject: '/etc/guix/machines.scm:3:5' } })
  })

  it('says which of the additional keys it is', () => {
    const machine = buildMachine({ name: 'b1', hostKey: ed25519, settings: { hostKeys: [ed25519, 'nonsense'] } })
    expect(failure(() => pinnedKeys(machine, new Failures(errorFactory, machine))).message).toContain('hostKeys[1] of "b1"')
  })
})

describe('hostKeyAlgorithms', () => {
  const pin = (type: string) => ({ type, blob: Buffer.alloc(0) })

  it('asks for the pinned types first and SHA-1 only where allowed', () => {
    expect(hostKeyAlgorithms([pin('ssh-rsa')], false).slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519'])
    expect(hostKeyAlgorithms([pin('ssh-rsa'), pin('ecdsa-sha2-nistp256')], true).slice(0, 4)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa', 'ecdsa-sha2-nistp256'])
    expect(hostKeyAlgorithms([pin('ssh-ed25519')], false)).not.toContain('ssh-rsa')
  })

  it('names every algorithm once', () => {
    const algorithms = hostKeyAlgorithms([pin('ssh-ed25519'), pin('ssh-ed25519')], true)
    expect(new Set(algorithms).size).toBe(algorithms.length)
  })
})

describe('hostKeyMismatch', () => {
  it('shows both fingerprints with their types, the machine, and a cure', () => {
    const machine = buildMachine({ name: 'build1.example.org', port: 2222, hostKey: ed25519 })
    const pins = pinnedKeys(machine, new Failures(errorFactory, machine))
    const seen = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('ssh-rsa'), Buffer.alloc(10)])
    const { message, fault } = hostKeyMismatch(pins, seen, new Failures(errorFactory, machine))
    expect(fault).toBe('trust')
    expect(message).toContain('build1.example.org:2222')
    expect(message).toContain(`expected ssh-ed25519 ${ed25519Fingerprint}`)
    expect(message).toContain('seen ssh-rsa SHA256:')
    expect(message).toContain('reinstalled')
  })
})

describe('keyType', () => {
  it('is not fooled by lengths', () => {
    expect(keyType(Buffer.from([0, 0]))).toBeUndefined()
    expect(keyType(Buffer.from([0, 0, 0, 200, 1, 2, 3]))).toBeUndefined()
    expect(keyType(Buffer.from([255, 255, 255, 255, 1]))).toBeUndefined()
  })
})
