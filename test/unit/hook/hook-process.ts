import { appendFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { DaemonOutput } from '../../../src/hook/daemon-output.js'
import { openBuildLog } from '../../../src/hook/log-output.js'
import { runHook, type Decision } from '../../../src/hook/run-hook.js'
import { abortOnSignals } from '../../../src/hook/signals.js'
import type { BuildRequest } from '../../../src/plugin-api/index.js'

/**
 * A hook that is real but for its machines: what to do with a request is the name of its derivation. What happens inside goes to the
 * file named on the command line, one word a line.
 */
const [, , journal = '/dev/null'] = process.argv
const note = (word: string) => appendFileSync(journal, `${word}\n`)
const output = new DaemonOutput()
const signals = abortOnSignals()
note('ready')

/** Waits as an open connection would: the process does not end of itself. */
async function aborted(stop: AbortSignal): Promise<void> {
  const busy = setInterval(() => {}, 1_000)
  await new Promise<void>((resolve) => (stop.aborted ? resolve() : stop.addEventListener('abort', () => resolve())))
  clearInterval(busy)
}

async function offload(kind: string, stop: AbortSignal, inputs: string[], outputs: string[]): Promise<number> {
  note(`offload ${inputs.length} ${outputs.length} ${outputs.at(-1)}`)
  const log = openBuildLog()
  switch (kind) {
    case 'fail':
      return 100
    case 'hang':
      await aborted(stop)
      note('cleaned')
      return 1
    case 'deaf':
      return new Promise(() => setInterval(() => {}, 1_000))
    case 'chatty':
      // Says something until nobody listens.
      while (!stop.aborted) {
        output.message('still at it')
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      note('cleaned')
      return 1
    case 'own': {
      // The number is taken by a pipe of Node's own, as it may happen when no log is given.
      const own = openBuildLog(ownPipe())
      own.write(Buffer.alloc(2 ** 20))
      await new Promise<void>((resolve) => own.end(resolve))
      note('nothing written')
      return 0
    }
    case 'flood': {
      const chunk = Buffer.alloc(64 * 1024, 'x')
      for (let index = 0; index < 1_024; index += 1) {
        if (!log.write(chunk)) await new Promise((resolve) => log.once('drain', resolve))
        if (index === 100) note(`buffered ${log.writableLength < 1_000_000 ? 'little' : 'much'}`)
      }
      await new Promise<void>((resolve) => log.end(resolve))
      note('flooded')
      return 0
    }
    default:
      log.write(Buffer.from([0x66, 0x6f, 0x6f, 0xff, 0x0a]))
      await new Promise<void>((resolve) => log.end(resolve))
      output.message(`# accept is not what this message means\nand # this neither`)
      return 0
  }
}

/** The end for writing of a pipe both ends of which are here. */
function ownPipe(): number {
  const pipes = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0'
      return [{ fd: Number(fd), name: readlinkSync(`/proc/self/fd/${fd}`), writes: flags.endsWith('1') }]
    } catch {
      return []
    }
  })
  const found = pipes.find(({ name, writes }) => writes && name.startsWith('pipe:') && pipes.some((other) => other.name === name && !other.writes))
  if (found === undefined) throw new Error('Node has no pipe of its own')
  return found.fd
}

async function decide({ derivation }: BuildRequest, stop: AbortSignal): Promise<Decision> {
  const kind = /^\/([a-z]+)/.exec(derivation)?.[1] ?? ''
  note(`decide ${kind}`)
  if (kind === 'decline' || kind === 'postpone') return { reply: kind }
  if (kind === 'later') return { reply: 'decline', afterwards: async () => output.message('kept why') }
  if (kind === 'broken') throw new TypeError('no such luck')
  if (kind === 'slow') {
    await aborted(stop)
    throw stop.reason
  }
  return {
    reply: 'accept',
    offload: (inputs, outputs) => offload(kind, stop, inputs, outputs),
    abandon: async () => note('abandoned'),
  }
}

const status = await runHook({ input: process.stdin, output, decide, signal: signals.signal, cleanUpMs: 300 })
signals.dispose()
note(`status ${status}`)
process.exit(status)
