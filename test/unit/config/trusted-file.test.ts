import { chmod, chown, lchown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkTrusted, readTrustedFile } from '../../../src/config/trusted-file.js'

const step = 'testing'
const asRoot = process.geteuid?.() === 0
const stranger = 65534
let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trusted-'))
  await mkdir(join(folder, 'etc'), { mode: 0o755 })
  file = join(folder, 'etc', 'file')
  await writeFile(file, 'content', { mode: 0o644 })
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const read = async (path: string): Promise<string | undefined> => (await readTrustedFile(path, { step }))?.content.toString()

describe('a trusted file', () => {
  it('is read, and named without links', async () => {
    await symlink('etc', join(folder, 'link'))
    await symlink('../link/./file', join(folder, 'etc', 'other'))
    expect(await readTrustedFile(join(folder, 'link', 'other'), { step })).toMatchObject({ path: file })
    expect(await read(file)).toBe('content')
    expect(await checkTrusted(join(folder, 'etc/../etc'), { step })).toBe(join(folder, 'etc'))
  })

  it('need not be there', async () => {
    expect(await read(join(folder, 'etc', 'none'))).toBeUndefined()
    expect(await read(join(folder, 'none', 'none'))).toBeUndefined()
    expect(await read(join(file, 'below'))).toBeUndefined()
  })

  it.each([
    [0o664, 'its group may write to it', 'g-w'], [0o646, 'everybody may write to it', 'o-w'], [0o666, 'its group and everybody may write to it', 'go-w'],
  ])('must not be writable by others: mode %o', async (mode, problem, flags) => {
    await chmod(file, mode)
    await expect(read(file)).rejects.toMatchObject({
      code: 'untrusted-file', fault: 'configuration', report: { subject: file, problem, seen: `mode 0${mode.toString(8)}`, cure: `chmod ${flags} ${file}` },
    })
  })

  it('must be in folders that are not writable by others, unless sticky', async () => {
    await chmod(join(folder, 'etc'), 0o775)
    await expect(read(file)).rejects.toMatchObject({ code: 'untrusted-file', report: { subject: join(folder, 'etc') } })
    await chmod(join(folder, 'etc'), 0o1777)
    expect(await read(file)).toBe('content')
  })

  it('must not be reached through a folder that others may change, by a link', async () => {
    const open = join(folder, 'open')
    await mkdir(open)
    await symlink(file, join(open, 'link'))
    await symlink(join(open, 'link'), join(folder, 'etc', 'link'))
    expect(await read(join(folder, 'etc', 'link'))).toBe('content')
    await chmod(open, 0o777)
    await expect(read(join(folder, 'etc', 'link'))).rejects.toMatchObject({ code: 'untrusted-file', report: { subject: open } })
  })

  it('does not run in circles', async () => {
    await symlink('b', join(folder, 'a'))
    await symlink('a', join(folder, 'b'))
    await expect(read(join(folder, 'a'))).rejects.toMatchObject({ code: 'untrusted-file', report: { problem: 'too many links' } })
  })

  it('must be a file of reasonable size', async () => {
    await expect(read(join(folder, 'etc'))).rejects.toMatchObject({ code: 'unreadable-file' })
    await writeFile(file, Buffer.alloc(5 * 1024 * 1024))
    await expect(read(file)).rejects.toMatchObject({ code: 'unreadable-file' })
  })

  it.runIf(asRoot)('must belong to root or us, as must its folders and the links to it', async () => {
    await chown(file, stranger, stranger)
    await expect(read(file)).rejects.toMatchObject({
      code: 'untrusted-file', report: { subject: file, seen: `user id ${stranger}`, cure: `chown root ${file}, or run this as that user: sudo -u '#${stranger}' …` },
    })
    expect((await readTrustedFile(file, { step, owners: [stranger] }))?.content.toString()).toBe('content')
    await chown(file, 0, 0)
    await chown(join(folder, 'etc'), stranger, stranger)
    await expect(read(file)).rejects.toMatchObject({ report: { subject: join(folder, 'etc') } })
    await chown(join(folder, 'etc'), 0, 0)
    await symlink(file, join(folder, 'link'))
    await lchown(join(folder, 'link'), stranger, stranger)
    await expect(read(join(folder, 'link'))).rejects.toMatchObject({ report: { subject: join(folder, 'link') } })
  })
})
