import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { compileHook, startHook, type StartedHook } from './start-hook.js'

let hook: ReturnType<typeof compileHook>
const running: StartedHook[] = []

beforeAll(() => {
  hook = compileHook()
})
afterEach(async () => {
  for (const { child, exit } of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    child.stdio.forEach((stream) => stream?.destroy())
    await exit
  }
})
afterAll(() => hook.remove())

const start = (options?: { log: boolean }) => {
  const begun = startHook(hook, options)
  running.push(begun)
  return begun
}
const ask = ({ stdin }: StartedHook, kind: string) => stdin.write(`0 x86_64-linux /${kind}.drv \n`)
const paths = (count: number) => Array.from({ length: count }, (_, index) => `/gnu/store/${String(index).padStart(32, '0')}-item `).join('')
async function read(stream: AsyncIterable<Buffer> | null): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('the hook as a process', () => {
  it('serves one build after refusing others, byte for byte', async () => {
    const one = start()
    const log = read(one.log)
    ask(one, 'decline')
    await one.until(() => one.text() === '# decline\n')
    ask(one, 'postpone')
    await one.until(() => one.text() === '# decline\n# postpone\n')
    ask(one, 'build')
    await one.until(() => one.text().endsWith('# accept\n'))
    one.stdin.end(`${paths(3)}\n${paths(2)}\n`)
    expect(await one.exit).toEqual({ code: 0, signal: null })
    expect(one.text()).toBe('# decline\n# postpone\n# accept\n # accept is not what this message means\nand # this neither\n')
    expect([...(await log)]).toEqual([0x66, 0x6f, 0x6f, 0xff, 0x0a])
    expect(one.journal().at(-2)).toBe('offload 3 2 /gnu/store/00000000000000000000000000000001-item')
  })

  it('leaves what can wait until after the answer, and before the next request', async () => {
    const one = start()
    ask(one, 'later')
    ask(one, 'postpone')
    await one.until(() => one.text() === '# decline\nkept why\n# postpone\n')
    one.stdin.end()
    expect(await one.exit).toEqual({ code: 0, signal: null })
  })

  it('takes 100,000 inputs', async () => {
    const one = start()
    ask(one, 'fail')
    one.stdin.end(`${paths(100_000)}\n${paths(1)}\n`)
    expect(await one.exit).toEqual({ code: 100, signal: null })
    expect(one.journal()).toContain('offload 100000 1 /gnu/store/00000000000000000000000000000000-item')
  })

  it('ends well when there is nothing to do', async () => {
    const one = start()
    one.stdin.end()
    expect(await one.exit).toEqual({ code: 0, signal: null })
    const two = start()
    ask(two, 'postpone')
    two.stdin.end()
    expect(await two.exit).toEqual({ code: 0, signal: null })
  })

  it('takes nothing on a malformed request, and says so', async () => {
    const one = start()
    one.stdin.write('nonsense\n')
    expect(await one.exit).toEqual({ code: 1, signal: null })
    expect(one.text()).toBe(
      `guix offload: error: reading guix-daemon's request: not understood (expected WANTS-LOCAL SYSTEM DRV FEATURES, seen "nonsense")\n`,
    )
    expect(one.journal()).toEqual(['ready', 'status 1'])
  })

  it('tells a failure of its own as such', async () => {
    const one = start()
    ask(one, 'broken')
    expect(await one.exit).toEqual({ code: 1, signal: null })
    expect(one.text()).toBe('guix offload: error: internal error: no such luck. Please report this\n')
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('cleans up on %s, whatever it is doing', async (signal) => {
    for (const [kind, sent, last] of [
      ['', '', 'status 1'],
      ['slow', '', 'status 1'],
      ['hang', '', 'abandoned'],
      ['hang', paths(1) + '\n', 'abandoned'],
      ['hang', `${paths(1)}\n${paths(1)}\n`, 'cleaned'],
      ['deaf', `${paths(1)}\n${paths(1)}\n`, 'status 1'],
    ] as const) {
      const one = start()
      if (kind !== '') ask(one, kind)
      one.stdin.write(sent)
      const doing = kind === '' ? 'ready' : last === 'cleaned' || kind === 'deaf' ? 'offload' : 'decide'
      await one.until(() => one.journal().some((line) => line.startsWith(doing)))
      if (last === 'abandoned') await one.until(() => one.text() === '# accept\n')
      one.child.kill(signal)
      expect(await one.exit).toEqual({ code: 1, signal: null })
      expect(one.journal()).toContain(last)
    }
  })

  it('gives back what it took when the daemon vanishes before naming the paths', async () => {
    for (const sent of ['', paths(2), `${paths(2)}\n`, `${paths(2)}\n${paths(1)}`]) {
      const one = start()
      ask(one, 'hang')
      await one.until(() => one.text() === '# accept\n')
      one.stdin.end(sent)
      expect(await one.exit).toEqual({ code: 1, signal: null })
      expect(one.journal()).toEqual(['ready', 'decide hang', 'abandoned', 'status 1'])
    }
  })

  it('gives back what it took when nobody reads its answer', async () => {
    const one = start()
    one.messages.destroy()
    ask(one, 'hang')
    expect(await one.exit).toEqual({ code: 1, signal: null })
    expect(one.journal()).toEqual(['ready', 'decide hang', 'abandoned', 'status 1'])
    const two = start()
    two.messages.destroy()
    ask(two, 'postpone')
    expect(await two.exit).toEqual({ code: 1, signal: null })
  })

  it('stops the build when the daemon vanishes while it runs', async () => {
    const one = start()
    ask(one, 'chatty')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.text().includes('still at it'))
    one.messages.destroy()
    expect(await one.exit).toEqual({ code: 1, signal: null })
    expect(one.journal()).toContain('cleaned')
  })

  it('does not mistake the end of its input for the end of the daemon', async () => {
    const one = start()
    ask(one, 'hang')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.journal().length === 3)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(one.child.exitCode).toBeNull()
  })

  it('dies of SIGKILL, with its whole group', async () => {
    const one = start()
    ask(one, 'hang')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.journal().length === 3)
    process.kill(-(one.child.pid ?? 0), 'SIGKILL')
    expect(await one.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('logs no faster than the daemon reads, and loses nothing', async () => {
    const one = start()
    ask(one, 'flood')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.journal().length === 3)
    // Nobody reads: it must stand still after what the pipe holds, and its memory with it.
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(one.journal()).not.toContain('flooded')
    const hash = createHash('sha256')
    let length = 0
    for await (const chunk of (one.log ?? []) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      length += chunk.length
    }
    expect(length).toBe(64 * 2 ** 20)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(64 * 2 ** 20, 'x')).digest('hex'))
    expect(await one.exit).toEqual({ code: 0, signal: null })
    expect(one.journal()).toContain('buffered little')
  })

  it('builds on when the log is closed early, also while it waits to write', async () => {
    const one = start()
    ask(one, 'flood')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.journal().length === 3)
    one.log?.destroy()
    expect(await one.exit).toEqual({ code: 0, signal: null })
    expect(one.journal()).toContain('flooded')
  })

  it('can be stopped while nobody reads the log', async () => {
    const one = start()
    ask(one, 'flood')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    await one.until(() => one.journal().length === 3)
    one.child.kill('SIGTERM')
    expect(await one.exit).toEqual({ code: 1, signal: null })
  })

  it('builds without a log', async () => {
    const one = start({ log: false })
    ask(one, 'flood')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    expect(await one.exit).toEqual({ code: 0, signal: null })
    expect(one.journal()).toContain('flooded')
  })

  it('does not take a pipe of its own process for the log', async () => {
    const one = start({ log: false })
    ask(one, 'own')
    one.stdin.end(`${paths(1)}\n${paths(1)}\n`)
    expect(await one.exit).toEqual({ code: 0, signal: null })
    expect(one.journal()).toContain('nothing written')
  })
})
