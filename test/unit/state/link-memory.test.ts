import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LinkMemory } from '../../../src/state/link-memory.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'

const scratch = scratchFolders()
const mebibyte = 2 ** 20
const none = { compression: 'none', reason: 'default' }

const zlib = { compression: 'zlib@openssh.com,zlib', reason: 'measured' }
const measuredNone = { compression: 'none', reason: 'measured' }

/** One machine's link; speeds in MiB/s. */
function link(folder = scratch()) {
  let now = Date.UTC(2030, 0, 1)
  const memory = () => new LinkMemory(folder, () => now)
  const b1 = machine('b1')
  return {
    choice: () => memory().compressionFor(b1),
    plain: (speed: number) => memory().learn(b1, { bytes: 8 * mebibyte, seconds: 8 / speed, compressed: false }),
    compressed: (speed: number) => memory().learn(b1, { bytes: 8 * mebibyte, seconds: 8 / speed, compressed: true }),
    later: (hours: number) => void (now += hours * 3_600_000),
  }
}

describe('what is known of a link', () => {
  it('does what the machine file says, whatever was measured', async () => {
    const links = new LinkMemory(scratch())
    for (const compression of ['zlib', 'none']) {
      const told = machine('b1', { compression })
      await links.learn(told, { bytes: mebibyte, seconds: 10, compressed: compression === 'zlib' })
      expect(await links.compressionFor(told)).toEqual({ compression, reason: 'machine file' })
    }
  })

  it('compresses nothing until a link has shown that it is slow, and then as long as that is faster', async () => {
    const folder = scratch()
    const { choice, plain, compressed } = link(folder)
    expect(await choice()).toEqual(none)
    await plain(1)
    expect(await choice()).toEqual(zlib)
    await compressed(3)
    expect(await choice()).toEqual(zlib)
    // What does not compress is no faster; as long as the rest is, that is no reason to stop.
    await compressed(1)
    expect(await choice()).toEqual(zlib)
    expect(await new LinkMemory(folder).compressionFor(machine('b2'))).toEqual(none)
  })

  it('does not compress on a fast link', async () => {
    const { choice, plain } = link()
    await plain(5)
    expect(await choice()).toEqual(measuredNone)
  })

  it('stops when compression has brought nothing: it was the machine that was slow', async () => {
    const { choice, plain, compressed } = link()
    await plain(1)
    await compressed(1.1)
    expect(await choice()).toEqual(measuredNone)
  })

  it('stays with compression when archives that compress well arrive fast, and looks within an hour whether the link has become fast', async () => {
    const { choice, plain, compressed, later } = link()
    await plain(0.5)
    await compressed(13)
    later(0.9)
    expect(await choice()).toEqual(zlib)
    later(0.2)
    expect(await choice()).toEqual(none)
    await plain(0.5)
    expect(await choice()).toEqual(zlib)
    later(1.1)
    // Measured before, it does not count for half of this.
    await plain(5)
    expect(await choice()).toEqual(measuredNone)
  })

  it('takes one slow transfer over a fast link for an accident, two for a change', async () => {
    const { choice, plain } = link()
    await plain(50)
    await plain(0.5)
    expect(await choice()).toEqual(measuredNone)
    await plain(0.5)
    expect(await choice()).toEqual(zlib)
  })

  it('looks again after a day, with a clock that was set back as well', async () => {
    const { choice, plain, compressed, later } = link()
    await plain(1)
    later(23)
    await compressed(8)
    expect(await choice()).toEqual(zlib)
    later(2)
    expect(await choice()).toEqual(none)
    await plain(40)
    expect(await choice()).toEqual(measuredNone)
    later(-3)
    expect(await choice()).toEqual(none)
  })

  it('learns nothing from small transfers', async () => {
    const links = new LinkMemory(scratch())
    await links.learn(machine('b1'), { bytes: 1000, seconds: 10, compressed: false })
    expect(await links.compressionFor(machine('b1'))).toEqual(none)
  })

  it.each(['', '{', '[]', 'null', '{"compress":true}', '{"plain":{"bytesPerSecond":"1","at":1}}', '{"plain":{"bytesPerSecond":-1,"at":1893456000000}}', '{"plain":null}'])('takes %j for nothing known', async (content) => {
    const folder = scratch()
    mkdirSync(join(folder, 'offload', 'b1:22'), { recursive: true })
    writeFileSync(join(folder, 'offload', 'b1:22', 'link.json'), content)
    expect(await new LinkMemory(folder).compressionFor(machine('b1'))).toEqual(none)
  })
})
