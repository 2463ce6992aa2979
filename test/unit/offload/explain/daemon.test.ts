import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildsNatively, daemonOptions, hostSystem } from '../../../../src/offload/explain/daemon-options.js'
import { findDaemons } from '../../../../src/offload/explain/daemon-process.js'
import { hookProgramOf } from '../../../../src/offload/explain/hook-program.js'
import { variablesOfHook } from '../../../../src/offload/explain/surroundings.js'
import { scratchFolders } from '../../../support/scratch.js'

const scratch = scratchFolders()

function procOf(...processes: { pid: number; parent: number; words: string[]; environ?: string; uid?: number }[]) {
  const folder = scratch()
  for (const { pid, parent, words, environ, uid = 0 } of processes) {
    mkdirSync(join(folder, String(pid)))
    const put = (name: string, text: string) => writeFileSync(join(folder, String(pid), name), text)
    put('cmdline', words.map((word) => `${word}\0`).join(''))
    put('status', `Name:\tguix-daemon\nPPid:\t${parent}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`)
    if (environ !== undefined) put('environ', environ)
  }
  writeFileSync(join(folder, 'locks'), '')
  return folder
}

describe('the daemon in /proc', () => {
  it('is the one that listens, not those that serve a client, nor anything else', () => {
    const folder = procOf(
      { pid: 9, parent: 1, words: ['/usr/bin/guix-daemon', '--max-jobs=4', ''], environ: 'GUIX=/a=b\0LANG=C\0', uid: 30000 },
      { pid: 10, parent: 9, words: ['/usr/bin/guix-daemon', '4711'] },
      { pid: 11, parent: 1, words: ['/gnu/store/x/bin/.guix-daemon-real'] },
      { pid: 12, parent: 1, words: ['vi', '/usr/bin/guix-daemon'] },
      { pid: 13, parent: 1, words: [] },
    )
    expect(findDaemons(folder)).toEqual([
      { pid: 9, uid: 30000, words: ['/usr/bin/guix-daemon', '--max-jobs=4', ''], variables: { GUIX: '/a=b', LANG: 'C' } },
      { pid: 11, uid: 0, words: ['/gnu/store/x/bin/.guix-daemon-real'], variables: undefined },
    ])
    expect(findDaemons(join(folder, 'nowhere'))).toEqual([])
  })

  it('hands its folders on to those that have no others', () => {
    const variables = { GUIX_STATE_DIRECTORY: '/s', NIX_STORE_DIR: '/n', LANG: 'C' }
    const surroundings = { daemons: [{ pid: 1, uid: 0, words: [], variables }], locks: [] }
    expect(variablesOfHook(surroundings, { GUIX_STATE_DIRECTORY: '/mine', NIX_STORE_DIR: '' })).toEqual({ NIX_STORE_DIR: '/n' })
    expect(variablesOfHook({ daemons: [], locks: [] }, {})).toEqual({})
  })
})

describe("the daemon's options", () => {
  it.each([
    [[], 1, false], [['--max-jobs=4'], 4, false], [['--max-jobs', '0', '-c', '2'], 0, false], [['-M', '3'], 3, false], [['-M2', '--no-offload'], 2, true],
    [['--max-jobs=4', '-M1', '--no-build-hook'], 1, true], [['--max-jobs=many'], 1, false],
  ])('%j', (words, maxJobs, noOffload) => {
    expect(daemonOptions(['guix-daemon', ...words])).toEqual({ maxJobs, noOffload, system: undefined })
  })

  it('may name another system', () => {
    expect(daemonOptions(['guix-daemon', '--system', 'i686-linux']).system).toBe('i686-linux')
    expect(daemonOptions(['guix-daemon', '--system=armhf-linux', '--listen=/s']).system).toBe('armhf-linux')
  })

  it('knows what a host builds without help', () => {
    expect([hostSystem('x64'), hostSystem('arm64'), hostSystem('riscv64')]).toEqual(['x86_64-linux', 'aarch64-linux', 'riscv64-linux'])
    expect([buildsNatively('x86_64-linux', 'i686-linux'), buildsNatively('i686-linux', 'x86_64-linux'), buildsNatively('aarch64-linux', 'armhf-linux')]).toEqual([true, false, true])
  })
})

describe("the daemon's hook", () => {
  const hook = async (script: string | undefined, mode = 0o755) => {
    const path = join(scratch(), 'guix')
    if (script !== undefined) writeFileSync(path, script, { mode })
    return hookProgramOf({ pid: 1, uid: 0, words: [], variables: { GUIX: path, PATH: '/usr/bin:/bin' } })
  }

  it.each([
    ['ours', '#!/bin/sh\necho "guix-offload 0.1.0 $1 $2"\n', 'guix-offload 0.1.0 offload --version'],
    ['other', '#!/bin/sh\necho "guix offload (GNU Guix) 1.5.0"\n', 'guix offload (GNU Guix) 1.5.0'],
    ['broken', '#!/bin/sh\necho no such thing >&2\nexit 3\n', 'no such thing'],
    ['broken', '#!/no/such/interpreter\n', 'ENOENT'],
    ['broken', undefined, 'ENOENT'],
  ])('is %s, as it says itself', async (kind, script, answer) => {
    const found = await hook(script)
    expect(found).toMatchObject({ kind })
    expect('answer' in found ? found.answer : '').toContain(answer)
  })

  it('is broken where it may not be run', async () => {
    expect(await hook('#!/bin/sh\necho guix-offload 1\n', 0o644)).toMatchObject({ kind: 'broken' })
  })

  it('is not known without an environment, and built in without GUIX', async () => {
    expect(await hookProgramOf({ pid: 1, uid: 0, words: [] })).toEqual({ kind: 'unknown' })
    expect(await hookProgramOf({ pid: 1, uid: 0, words: [], variables: {} })).toEqual({ kind: 'built-in' })
  })
})
