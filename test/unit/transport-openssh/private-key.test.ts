import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFile } from 'node:fs/promises'
import { problemWith } from '../../../plugins/transport-openssh/src/private-key.js'
import { generateKey, type KeyType } from '../../support/sshd.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guix-offload-keys-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const made = async (name: string, type: KeyType, ...options: string[]): Promise<string> => {
  await generateKey(join(folder, name), type, ...options)
  return join(folder, name)
}

describe('problemWith', () => {
  it.each([['ed25519', []], ['ecdsa', []], ['rsa', []], ['rsa', ['-m', 'PEM']], ['ecdsa', ['-m', 'PKCS8']]] as const)('finds none with a key of type %s %j', async (type, options) => {
    const path = await made(`good-${type}-${options.join('')}`, type, ...options)
    expect(problemWith(await readFile(path))).toBeUndefined()
  })

  it.each([['ed25519', []], ['rsa', ['-m', 'PEM']], ['ecdsa', ['-m', 'PKCS8']]] as const)('sees the passphrase of a key of type %s %j', async (type, options) => {
    const path = await made(`locked-${type}`, type, '-N', 'a passphrase', ...options)
    expect(problemWith(await readFile(path))?.code).toBe('private-key-encrypted')
  })

  it('knows public keys', async () => {
    const path = await made('pair', 'ed25519')
    expect(problemWith(await readFile(`${path}.pub`))?.problem).toContain('public key')
    const { publicKey } = generateKeyPairSync('ed25519', { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
    expect(problemWith(Buffer.from(publicKey))?.problem).toContain('public key')
  })

  it.each([
    ['nothing', ''],
    ['nonsense', 'hello'],
    ['another file', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['a damaged key', '-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END OPENSSH PRIVATE KEY-----\n'],
    ['a damaged PEM', '-----BEGIN RSA PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END RSA PRIVATE KEY-----\n'],
    ['half a key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE'],
  ])('refuses %s', (_, text) => {
    expect(problemWith(Buffer.from(text))?.code).toBe('private-key-invalid')
  })
})
