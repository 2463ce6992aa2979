import { afterEach, describe, expect, it } from 'vitest'
import { DaemonOutput } from '../../../src/hook/daemon-output.js'
import { guardStreams } from '../../../src/hook/guarded-streams.js'
import { openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const own = { stdout: Object.getOwnPropertyDescriptor(process, 'stdout'), stderr: Object.getOwnPropertyDescriptor(process, 'stderr') }
const file = join(tmpdir(), `guarded-streams-${process.pid}`)

afterEach(() => {
  for (const [name, descriptor] of Object.entries(own)) if (descriptor !== undefined) Object.defineProperty(process, name, descriptor)
  rmSync(file, { force: true })
})

/** What guix-daemon would read after these writes. */
function daemonReads(print: () => void): string {
  const output = new DaemonOutput(openSync(file, 'w'))
  guardStreams(output)
  print()
  output.reply('postpone')
  return readFileSync(file, 'utf8')
}

describe('what is printed in the hook', () => {
  it.each(['stdout', 'stderr'] as const)('to %s is no reply, however it is cut', (name) => {
    expect(daemonReads(() => {
      process[name].write('# dec')
      process[name].write('line\nand # accept\n')
      process[name].write(Buffer.from('# accept\n'))
    })).toBe(' # decline\nand # accept\n # accept\n# postpone\n')
  })

  it('does not get between the parts of a line of ours', () => {
    expect(daemonReads(() => void process.stdout.write('no end of line'))).toBe('# postpone\n')
  })

  it('is passed on in pieces where a line has no end', () => {
    expect(daemonReads(() => void process.stdout.write('x'.repeat(70_000)))).toBe(`${'x'.repeat(70_000)}\n# postpone\n`)
  })
})
