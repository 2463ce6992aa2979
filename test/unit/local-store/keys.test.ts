import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readAcl } from '../../../src/local-store/acl-file.js'
import { readOwnPublicKey, readSigner } from '../../../src/local-store/signing-key.js'
import { golden, signatures, signer } from '../trust/golden.js'

let folder: string
const place = async (name: string, from: string, mode: number): Promise<void> => {
  const file = join(folder, name)
  await copyFile(new URL(`../../golden/trust/${from}`, import.meta.url), file)
  await chmod(file, mode)
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Runs as somebody who is bound by permissions, also if the tests run as root. */
async function asNobody<T>(action: () => Promise<T>): Promise<T> {
  const { seteuid, geteuid } = process
  if (seteuid === undefined || geteuid === undefined || geteuid.call(process) !== 0) return action()
  seteuid.call(process, 65534)
  try {
    return await action()
  } finally {
    seteuid.call(process, 0)
  }
}

describe('the signing key', () => {
  it('signs', async () => {
    await place('signing-key.sec', 'ecc.sec', 0o400)
    await place('signing-key.pub', 'ecc.pub', 0o444)
    const own = await readSigner(folder)
    const sample = signatures.find(({ key }) => key === 'ecc')
    expect((await own?.sign(Buffer.from(sample?.hash ?? '', 'hex')))?.toString('latin1')).toBe(sample?.signature)
    expect((await readOwnPublicKey(folder))?.id).toBe(signer('ecc').publicKey.id)
  })

  it.each([0o440, 0o404, 0o600 | 0o020, 0o600 | 0o001])('must be secret: mode %o', async (mode) => {
    await place('signing-key.pub', 'ecc.pub', 0o444)
    await place('signing-key.sec', 'ecc.sec', mode)
    await expect(readSigner(folder)).rejects.toMatchObject({ code: 'signing-key-exposed', report: { subject: join(folder, 'signing-key.sec'), seen: `mode 0${mode.toString(8)}` } })
  })

  it('is left to the daemon if it may not be read', async () => {
    await place('signing-key.pub', 'ecc.pub', 0o444)
    await place('signing-key.sec', 'ecc.sec', 0o000)
    await chmod(folder, 0o755)
    expect(await asNobody(() => readSigner(folder))).toBeUndefined()
  })

  it('must be there, both halves', async () => {
    await expect(readSigner(folder)).rejects.toMatchObject({ code: 'signing-key-missing', report: { subject: join(folder, 'signing-key.sec') } })
    await place('signing-key.sec', 'ecc.sec', 0o400)
    await expect(readSigner(folder)).rejects.toMatchObject({ code: 'signing-key-missing', report: { subject: join(folder, 'signing-key.pub') } })
    expect(await readOwnPublicKey(folder)).toBeUndefined()
  })

  it('must be a pair', async () => {
    await place('signing-key.sec', 'ecc.sec', 0o400)
    await place('signing-key.pub', 'stranger.pub', 0o444)
    await expect(readSigner(folder)).rejects.toMatchObject({ code: 'key-pair-mismatch' })
  })

  it('must be a file', async () => {
    await mkdir(join(folder, 'signing-key.sec'))
    await expect(readSigner(folder)).rejects.toMatchObject({ code: 'key-file-unreadable' })
  })
})

describe('the acl', () => {
  it('is read, also through a link', async () => {
    await place('elsewhere', 'acl', 0o444)
    await symlink('elsewhere', join(folder, 'acl'))
    expect((await readAcl(folder)).keys.map(({ type }) => type).sort()).toEqual(['ecc', 'rsa'])
  })

  it('starts with the own key', async () => {
    expect((await readAcl(folder)).keys).toEqual([])
    await place('signing-key.pub', 'stranger.pub', 0o444)
    expect((await readAcl(folder)).has(signer('stranger').publicKey)).toBe(true)
  })

  it('says where it is wrong', async () => {
    await writeFile(join(folder, 'acl'), golden('acl').subarray(0, -4))
    await expect(readAcl(folder)).rejects.toMatchObject({ code: 'malformed-acl', report: { subject: expect.stringMatching(/acl:\d+:\d+$/) as unknown } })
  })

  it('says that it may not be read', async () => {
    await place('acl', 'acl', 0o000)
    await chmod(folder, 0o755)
    await expect(asNobody(() => readAcl(folder))).rejects.toMatchObject({ code: 'acl-unreadable' })
  })
})
