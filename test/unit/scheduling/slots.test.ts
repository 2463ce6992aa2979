import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Slots, type Slot } from '../../../src/scheduling/slots.js'
import { SlotsLookedAt } from '../../../src/scheduling/slots-looked-at.js'
import { lockHolders, slotsInUse } from '../../../src/scheduling/slots-in-use.js'
import { machine } from '../machines/machine-fixture.js'
import { foreignLock } from './foreign-lock.js'

let state: string
let slots: Slots
let held: (Slot | undefined)[]

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'slots-'))
  slots = new Slots(state)
  held = []
})
afterEach(() => {
  for (const slot of held) slot?.release()
  rmSync(state, { recursive: true })
})

const b = machine('b.example.org', { port: 2222, parallelBuilds: 3 })
const file = (index: number) => join(state, 'offload', 'b.example.org:2222', String(index))
const take = () => {
  const slot = slots.take(b)
  held.push(slot)
  return slot
}
const openFiles = () => readdirSync('/proc/self/fd').length

describe('Slots', () => {
  it('makes the files as stock does: names, order, modes', () => {
    const umask = process.umask(0o022)
    try {
      expect([take()?.file, take()?.index]).toEqual([file(0), 1])
    } finally {
      process.umask(umask)
    }
    expect(readdirSync(join(state, 'offload', 'b.example.org:2222')).sort()).toEqual(['0', '1'])
    expect((statSync(file(0)).mode & 0o777).toString(8)).toBe('644')
    expect((statSync(join(state, 'offload', 'b.example.org:2222')).mode & 0o777).toString(8)).toBe('755')
  })

  it('gives as many as the machine builds at a time, and again what was released', () => {
    expect([take(), take(), take(), take()].map((slot) => slot?.index)).toEqual([0, 1, 2, undefined])
    held[1]?.release()
    held[1]?.release()
    expect(take()?.index).toBe(1)
    expect(take()).toBeUndefined()
  })

  it('shares the slots between two entries for one machine', () => {
    const other = machine('b.example.org', { port: 2222, parallelBuilds: 2, systems: ['i686-linux'] })
    expect([take()?.index, take()?.index]).toEqual([0, 1])
    expect(slots.take(other)).toBeUndefined()
    expect(slots.count(other)).toMatchObject({ total: 2, free: 0 })
  })

  it('gives nothing on a machine without slots', () => {
    expect(slots.take(machine('none', { parallelBuilds: 0 }))).toBeUndefined()
  })

  it('does not let descriptors pile up', () => {
    take()?.release()
    const before = openFiles()
    for (let round = 0; round < 20; round += 1) {
      const three = [take(), take(), take()]
      expect(take()).toBeUndefined()
      for (const slot of three) slot?.release()
    }
    expect(openFiles()).toBe(before)
  })

  it('respects the record lock of another program, and steps in when it ends', async () => {
    mkdirSync(join(state, 'offload', 'b.example.org:2222'), { recursive: true })
    const stranger = await foreignLock(file(0))
    expect(stranger.got).toBe(true)
    expect(take()?.index).toBe(1)
    await stranger.release()
    expect(take()?.index).toBe(0)
  })

  it('keeps other programs out', async () => {
    take()
    const stranger = await foreignLock(file(0))
    expect(stranger.got).toBe(false)
    await stranger.release()
    held[0]?.release()
    const later = await foreignLock(file(0))
    expect(later.got).toBe(true)
    await later.release()
  })

  it('keeps a slot although the file is opened and closed again elsewhere in the process', async () => {
    take()
    closeSync(openSync(file(0), 'r+'))
    slots.count(b)
    const stranger = await foreignLock(file(0))
    expect(stranger.got).toBe(false)
    await stranger.release()
  })

  it('does not hand slots on to child processes', async () => {
    const slot = take()
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    slot?.release()
    const stranger = await foreignLock(file(0))
    expect(stranger.got).toBe(true)
    await stranger.release()
    child.kill('SIGKILL')
  })

  it('counts without taking anything', async () => {
    expect(slots.count(b)).toEqual({ total: 3, taken: [], free: 3 })
    expect(existsSync(join(state, 'offload'))).toBe(false)
    take()
    const stranger = await foreignLock(file(2))
    expect(slots.count(b)).toEqual({ total: 3, taken: [{ index: 0, file: file(0) }, { index: 2, file: file(2) }], free: 1 })
    expect(lockHolders([0, 1, 2].map(file))).toEqual(new Map([[file(0), [process.pid]], [file(1), []], [file(2), [stranger.pid]]]))
    await stranger.release()
    expect(slots.count(b).free).toBe(2)
    expect(lockHolders([file(2)]).get(file(2))).toEqual([])
  })

  it('says which file is in the way', () => {
    writeFileSync(join(state, 'offload'), '')
    expect(() => take()).toThrow(
      expect.objectContaining({ code: 'slots-unusable', fault: 'configuration', report: expect.objectContaining({ subject: join(state, 'offload', 'b.example.org:2222') }) as unknown }),
    )
  })

  it('leaves no descriptor behind when a later file cannot be opened', () => {
    take()
    mkdirSync(file(1))
    const before = openFiles()
    expect(() => take()).toThrow(/EISDIR/)
    expect(openFiles()).toBe(before)
  })

  it('says so when the folder belongs to somebody else', () => {
    mkdirSync(join(state, 'offload'), { mode: 0o555 })
    // Root may write anywhere: it steps down for a moment.
    const root = process.geteuid?.() === 0
    chmodSync(state, 0o755)
    if (root) process.seteuid?.(65534)
    try {
      expect(() => slots.take(b)).toThrow(/EACCES.*must be writable for the user that guix-daemon runs as/)
    } finally {
      if (root) process.seteuid?.(0)
    }
  })

  it('refuses a name that leads out of the folder', () => {
    expect(() => slots.take(machine('../../../etc/x'))).toThrow(expect.objectContaining({ code: 'machine-name-unsafe' }))
    expect(existsSync(join(state, 'offload'))).toBe(false)
  })
})

describe('slotsInUse', () => {
  it('knows a file by device and inode', () => {
    writeFileSync(join(state, 'x'), '')
    const { dev, ino } = statSync(join(state, 'x'))
    const [major, minor] = spawnSync('stat', ['-c', '%Hd %Ld', state]).stdout.toString().trim().split(' ').map(Number)
    const line = (kind: string, mode: string, inode: number, device = `${major?.toString(16).padStart(2, '0')}:${minor?.toString(16).padStart(2, '0')}`) =>
      `1: ${kind} ADVISORY  ${mode} -1 ${device}:${inode} 0 EOF\n`
    const found = (text: string) => slotsInUse([join(state, 'x'), join(state, 'missing')], text).length
    expect(dev).toBeGreaterThan(0)
    expect(found(line('POSIX ', 'WRITE', ino))).toBe(1)
    expect(found(line('OFDLCK', 'WRITE', ino))).toBe(1)
    expect(found(`7: -> ${line('POSIX ', 'WRITE', ino).slice(3)}`)).toBe(0)
    expect(found(line('FLOCK ', 'WRITE', ino))).toBe(0)
    expect(found(line('POSIX ', 'READ ', ino))).toBe(0)
    expect(found(line('POSIX ', 'WRITE', ino + 1))).toBe(0)
    expect(found(line('POSIX ', 'WRITE', ino, 'ffe:1'))).toBe(0)
    expect(found('')).toBe(0)
  })
})

it('finds nothing that keeps us from taking slots while the folders are still to be made, and makes none', () => {
  expect(slots.obstacle(b)).toBeUndefined()
  expect(existsSync(join(state, 'offload'))).toBe(false)
  take()
  expect(slots.obstacle(b)).toBeUndefined()
})

describe('slots that are only looked at', () => {
  it('are free or taken as they are, and stay so', () => {
    const looked = new SlotsLookedAt(slots)
    expect(looked.take(b)).toMatchObject({ index: 0, file: file(0) })
    expect(existsSync(join(state, 'offload'))).toBe(false)
    take()
    expect(looked.take(b)?.index).toBe(1)
    take()
    expect([take()?.index, looked.take(b), looked.count(b).free]).toEqual([2, undefined, 0])
  })
})
