import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LinkMemory } from '../../../src/state/link-memory.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'

const scratch = scratchFolders()
const mebibyte = 2 ** 20
const none = { compression: 'none', reason: 'default' }

describe('what is known of a link', () => {
  it('does what the machine file says, whatever was measured', async () => {
    const links = new LinkMemory(scratch())
    const told = machine('b1', { compression: 'zlib' })
    await links.learn(told, 100 * mebibyte, 1)
    expect(await links.compressionFor(told)).toEqual({ compression: 'zlib', reason: 'machine file' })
  })

  it('compresses nothing until a link has shown that it is slow, and from then on until it is fast', async () => {
    const folder = scratch()
    const b1 = machine('b1')
    const choice = () => new LinkMemory(folder).compressionFor(b1)
    const learn = (bytes: number, seconds: number) => new LinkMemory(folder).learn(b1, bytes, seconds)
    expect(await choice()).toEqual(none)
    await learn(5 * mebibyte, 1)
    expect(await choice()).toEqual({ compression: 'none', reason: 'measured' })
    await learn(5 * mebibyte, 10)
    expect(await choice()).toEqual({ compression: 'zlib@openssh.com,zlib', reason: 'measured' })
    // Compressed, the same link carries three times as much: no reason to stop.
    await learn(5 * mebibyte, 3)
    await learn(5 * mebibyte, 1)
    expect(await choice()).toMatchObject({ compression: 'zlib@openssh.com,zlib' })
    await learn(50 * mebibyte, 1)
    expect(await choice()).toEqual({ compression: 'none', reason: 'measured' })
    expect(await new LinkMemory(folder).compressionFor(machine('b2'))).toEqual(none)
  })

  it('learns nothing from small transfers', async () => {
    const links = new LinkMemory(scratch())
    await links.learn(machine('b1'), 1000, 10)
    expect(await links.compressionFor(machine('b1'))).toEqual(none)
  })

  it.each(['', '{', '[]', 'null', '{"compress":"yes"}'])('takes %j for nothing known', async (content) => {
    const folder = scratch()
    mkdirSync(join(folder, 'offload', 'b1:22'), { recursive: true })
    writeFileSync(join(folder, 'offload', 'b1:22', 'link.json'), content)
    expect(await new LinkMemory(folder).compressionFor(machine('b1'))).toEqual(none)
  })
})
