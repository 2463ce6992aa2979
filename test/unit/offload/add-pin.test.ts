import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { addPin } from '../../../src/offload/add-pin.js'

let folder = ''
// Not in /tmp: everybody may write there, and the folders above count.
beforeEach(async () => { folder = await mkdtemp(join(homedir(), '.add-pin-')) })
afterEach(() => rm(folder, { recursive: true }))

const line = 'beta.local ssh-ed25519 AAAA'

it('makes the file, readable by all and writable by its owner alone, and adds to it what is not there', async () => {
  const file = join(folder, 'deeper', 'pins')
  expect(await addPin({ file, line })).toBe(true)
  expect(await addPin({ file, line })).toBe(false)
  expect(await addPin({ file, line: `${line}2` })).toBe(true)
  expect((await readFile(file, 'utf8')).split('\n').slice(1)).toEqual([line, `${line}2`, ''])
  expect((await stat(file)).mode & 0o777).toBe(0o644)
  expect(await readdir(join(folder, 'deeper'))).toEqual(['pins'])
})

it('keeps what is there, with or without a last newline', async () => {
  const file = join(folder, 'pins')
  await writeFile(file, '# mine\na b c')
  await addPin({ file, line })
  expect(await readFile(file, 'utf8')).toBe(`# mine\na b c\n${line}\n`)
})

it('writes nothing where others may write', async () => {
  const open = join(folder, 'open')
  await mkdir(open)
  await chmod(open, 0o777)
  await expect(addPin({ file: join(open, 'pins'), line })).rejects.toMatchObject({ code: 'untrusted-file' })
  expect(await readdir(open)).toEqual([])
  const file = join(folder, 'pins')
  await writeFile(file, '')
  await chmod(file, 0o666)
  await expect(addPin({ file, line })).rejects.toMatchObject({ code: 'untrusted-file' })
  expect(await readFile(file, 'utf8')).toBe('')
})

it('takes one line, and says what it could not write', async () => {
  await expect(addPin({ file: join(folder, 'pins'), line: `${line}\nevil * key` })).rejects.toMatchObject({ code: 'pin-invalid' })
  await writeFile(join(folder, 'file'), '')
  await expect(addPin({ file: join(folder, 'file', 'pins'), line })).rejects.toMatchObject({ code: 'pins-not-written', message: expect.stringContaining(`append this line to it: ${line}`) as string })
})

it('does not follow a link that leads to where others write', async () => {
  await mkdir(join(folder, 'open'))
  await writeFile(join(folder, 'open', 'pins'), '')
  await chmod(join(folder, 'open'), 0o777)
  await symlink(join(folder, 'open', 'pins'), join(folder, 'pins'))
  await expect(addPin({ file: join(folder, 'pins'), line })).rejects.toMatchObject({ code: 'untrusted-file' })
})
