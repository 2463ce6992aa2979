import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convertPrivateKey, type LshKey } from '../../../plugins/transport-lsh/src/rsa-private-key.js'
import { generateLshKey } from '../../support/lshd.js'
import { generateKey } from '../../support/sshd.js'

const run = promisify(execFile)
let folder: string
let openssh: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guix-offload-lsh-keys-'))
  await generateKey(join(folder, 'rsa'), 'rsa', '-b', '2048')
  openssh = await readFile(join(folder, 'rsa'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function converted(contents: Buffer): LshKey {
  const key = convertPrivateKey(contents)
  if ('unusable' in key) throw new Error(`${key.unusable} ${key.detail}`)
  return key
}

async function pem(format: string): Promise<Buffer> {
  const path = join(folder, format)
  await copyFile(join(folder, 'rsa'), path)
  await run('ssh-keygen', ['-q', '-p', '-m', format, '-N', '', '-P', '', '-f', path])
  return readFile(path)
}

describe('an RSA key', () => {
  it.each(['PEM', 'PKCS8'])('is the same in %s as in the format of OpenSSH', async (format) => {
    const other = await pem(format)
    expect(other.toString('latin1')).not.toContain('OPENSSH')
    expect(converted(other)).toEqual(converted(openssh))
  })

  it('has the public half that ssh-keygen says', async () => {
    const line = await readFile(join(folder, 'rsa.pub'), 'utf8')
    expect(converted(openssh).publicBlob?.toString('base64')).toBe(line.split(' ')[1])
  })

  it('is understood by lsh\'s own tools', async () => {
    const path = join(folder, 'converted')
    await writeFile(path, converted(openssh).identity, { mode: 0o600 })
    const { stdout } = await run('sh', ['-c', 'LSH_YARROW_SEED_FILE="$1.seed"; export LSH_YARROW_SEED_FILE; head -c 32 /dev/urandom > "$1.seed"; chmod 600 "$1.seed"; '
      + 'lsh-writekey -c none -o "$1.own" < "$1" && lsh-export-key --openssh < "$1.own.pub"', 'sh', path])
    expect(stdout.split(' ')[1]?.trim()).toBe(converted(openssh).publicBlob?.toString('base64'))
  })

  it('passes on what is lsh\'s own, canonical or in base64', async () => {
    const path = join(folder, 'own')
    await generateLshKey(path)
    const own = await readFile(path)
    expect(converted(own).identity.equals(own)).toBe(true)
    const armoured = Buffer.from(`{${own.toString('base64')}}\n`)
    expect(converted(armoured).identity.equals(armoured)).toBe(true)
    expect(convertPrivateKey(Buffer.from('(18:password-encrypted1:x)'))).toMatchObject({ unusable: 'encrypted' })
    expect(convertPrivateKey(await readFile(`${path}.pub`))).toMatchObject({ unusable: 'public' })
  })
})

describe('is of no use', () => {
  it('protected by a passphrase', async () => {
    await generateKey(join(folder, 'locked'), 'rsa', '-N', 'secret')
    expect(convertPrivateKey(await readFile(join(folder, 'locked')))).toMatchObject({ unusable: 'encrypted' })
    const key = createPrivateKey(await pem('PEM'))
    for (const type of ['pkcs1', 'pkcs8'] as const) {
      const text = key.export({ type, format: 'pem', cipher: 'aes256', passphrase: 'secret' })
      expect(convertPrivateKey(Buffer.from(text))).toMatchObject({ unusable: 'encrypted' })
    }
  })

  it('of another type, which it names', async () => {
    await generateKey(join(folder, 'ed25519'))
    expect(convertPrivateKey(await readFile(join(folder, 'ed25519')))).toEqual({ unusable: 'other-type', detail: 'ssh-ed25519' })
  })

  it('the public half', async () => {
    expect(convertPrivateKey(await readFile(join(folder, 'rsa.pub')))).toMatchObject({ unusable: 'public' })
  })

  it('cut short anywhere, or anything else', () => {
    const body = Buffer.from(openssh.toString('latin1').split('\n').slice(1, -2).join(''), 'base64')
    fc.assert(fc.property(fc.nat(body.length - 300), (length) => {
      const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.subarray(0, length).toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`
      expect(convertPrivateKey(Buffer.from(text))).toHaveProperty('unusable')
    }))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(convertPrivateKey(Buffer.from(bytes))).toHaveProperty('unusable')
    }))
  })
})
