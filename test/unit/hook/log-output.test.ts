import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBuildLog } from '../../../src/hook/log-output.js'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

async function writeAll(fd: number): Promise<void> {
  const log = openBuildLog(fd)
  log.write(Buffer.from([0xff, 0x00]))
  log.write('héllo\n')
  log.end()
  await finished(log)
}

// What happens on a pipe is in hook-process.test.ts.
describe('openBuildLog', () => {
  it('writes to a file, for those who start the hook by hand', async () => {
    const fd = openSync(join(folder, 'log'), 'w')
    await writeAll(fd)
    expect(readFileSync(join(folder, 'log'))).toEqual(Buffer.concat([Buffer.from([0xff, 0x00]), Buffer.from('héllo\n')]))
  })

  it('writes nowhere if the descriptor is not open', async () => {
    const fd = openSync(join(folder, 'log'), 'w')
    closeSync(fd)
    await expect(writeAll(fd)).resolves.toBeUndefined()
  })

  it('writes nowhere if it is open for reading only', async () => {
    writeFileSync(join(folder, 'log'), 'untouched')
    const fd = openSync(join(folder, 'log'), 'r')
    await writeAll(fd)
    closeSync(fd)
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('untouched')
  })

  it('goes on when the disk is full', async () => {
    const fd = openSync('/dev/full', 'w')
    await expect(writeAll(fd)).resolves.toBeUndefined()
  })
})
