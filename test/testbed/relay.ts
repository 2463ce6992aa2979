import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Holder } from './holder.js'
import { bridgeAddress } from './network.js'

export interface RelayOptions {
  readonly address: string
  readonly port: number
  /** Each way; the round trip gets twice that longer. */
  readonly delayMs: number
}

export interface Relay extends AsyncDisposable {
  /** What to connect to instead of the machine; host keys are the machine's. */
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

const program = fileURLToPath(new URL('relay-program.js', import.meta.url))

/**
 * A far machine: a relay on the bed's bridge that holds every chunk for a while, in both directions. The kernel may lack netem.
 * It runs in the bed's PID namespace, so it ends with the bed.
 */
export const startRelay = async (bed: Holder, { address, port, delayMs }: RelayOptions): Promise<Relay> => {
  const doors = [`--net=/proc/${bed.pid}/ns/net`, `--pid=/proc/${bed.pid}/ns/pid`]
  const command = [process.execPath, program, bridgeAddress, address, String(port), String(delayMs)]
  const child = execa('nsenter', [...doors, '--', 'setpriv', '--pdeathsig=KILL', '--', ...command], {
    stdin: 'ignore', stderr: 'inherit', buffer: false, killSignal: 'SIGKILL', reject: false,
  })
  const [line] = (await Promise.race([
    once(child.stdout.setEncoding('utf8'), 'data'),
    child.then(() => Promise.reject(new Error('The relay ended at once'))),
  ])) as [string]
  const close = async () => {
    child.kill()
    await child
  }
  return { address: bridgeAddress, port: Number(line.trim()), close, [Symbol.asyncDispose]: close }
}
