import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { quoted, wrapper } from '../../../../src/offload/setup/wrapper.js'

let folder: string
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'wrapper-')), `it's a "folder" $HOME \``)
  mkdirSync(folder)
})
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

function program(name: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\nprintf '%s|' ${name} "$@"\n`)
  chmodSync(path, 0o755)
  return path
}

function written(programs = { node: program('node'), program: program('run.js'), guix: program('guix') }): string {
  const path = join(folder, 'wrapper')
  writeFileSync(path, wrapper(programs).content(['# one', '# two']))
  chmodSync(path, 0o755)
  return path
}

const output = (path: string, words: string[]) => execFileSync(path, words, { env: {}, cwd: '/', encoding: 'utf8' })

describe('the wrapper', () => {
  it('hands offload to us and everything else to guix, words unchanged', () => {
    const path = written()
    expect(output(path, ['offload', 'x86_64-linux', 'a b', '', '*'])).toBe(`node|${join(folder, 'run.js')}|offload|x86_64-linux|a b||*|`)
    expect(output(path, ['substitute', '--query', 'a b', "it's"])).toBe("guix|substitute|--query|a b|it's|")
    expect(output(path, [])).toBe('guix|')
  })

  it('hands offload to guix once we are gone, and says so', () => {
    const programs = { node: program('node'), program: program('run.js'), guix: program('guix') }
    const path = written(programs)
    rmSync(programs.program)
    const { stdout, stderr } = spawnSync(path, ['offload', 'x'], { env: {}, cwd: '/', encoding: 'utf8' })
    expect(stdout).toBe('guix|offload|x|')
    expect(stderr).toBe(`guix-offload: ${programs.program} or ${programs.node} cannot be used; guix's own offload takes over\n`)
  })

  it('replaces its process, so that the daemon\'s signals reach the hook', () => {
    const path = written()
    writeFileSync(join(folder, 'node'), '#!/bin/sh\nps -o comm= -p "$PPID"\n')
    expect(execFileSync('/bin/sh', ['-c', `exec ${quoted(path)} offload`], { encoding: 'utf8' })).not.toContain('wrapper')
  })
})

describe('quoting for the shell', () => {
  it('gives the word back, whatever is in it', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((word) => !word.includes('\0')), (word) => {
      expect(execFileSync('/bin/sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' })).toBe(Buffer.from(word, 'utf8').toString('utf8'))
    }), { numRuns: 40 })
  })
})
