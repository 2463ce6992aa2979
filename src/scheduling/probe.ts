import type { Readable } from 'node:stream'
import { MachineError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import type { Connection, Probe } from '../plugin-api/index.js'
import type { Clock } from './clock.js'
import { withDeadline } from './deadline.js'
import { excerpt, maxProbeOutput, parseProbe, probeScript } from './probe-output.js'

export interface ProbeOptions {
  readonly storeDirectory: string
  /** Milliseconds the whole probe may take. */
  readonly probeMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

const step = 'checking load and disk'

/**
 * Asks a machine for its load and its free disk space: one channel, one round trip or two.
 * @throws OffloadFailure `probe-timeout`, `probe-failed`, `probe-unreadable`, or what the connection throws
 */
export async function probe(connection: Connection, { storeDirectory, probeMs, clock, signal }: ProbeOptions): Promise<Probe> {
  const machine = machineId(connection.machine)
  const late = () =>
    new MachineError({ code: 'probe-timeout', step, problem: `no answer within ${probeMs / 1000} s`, cure: 'The machine may be overloaded or hang', machine })
  return withDeadline({ clock, ms: probeMs, signal, late }, async (cut) => {
    const process = await connection.exec(['/bin/sh', '-c', probeScript, 'sh', storeDirectory], { signal: cut })
    // The script reads nothing; that it may be gone before its input is closed is no failure.
    process.stdin.on('error', () => {})
    process.stdin.end()
    const [output, complaint, exit] = await Promise.all([text(process.stdout), text(process.stderr), process.exit])
    if (!output.includes('%%end')) {
      throw new MachineError({
        code: 'probe-failed',
        step,
        problem: exit.signal === null ? `the shell ended with status ${exit.code ?? 'unknown'}` : `the shell was ended by signal ${exit.signal}`,
        expected: 'load, processors and free space',
        seen: excerpt((complaint + output).trim()),
        machine,
      })
    }
    return parseProbe(output, machine, clock.now())
  })
}

/** Reads to the end; keeps no more than a probe may say. */
async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let kept = 0
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as Buffer)
    if (kept < maxProbeOutput) chunks.push(bytes)
    kept += bytes.length
  }
  return Buffer.concat(chunks).subarray(0, maxProbeOutput).toString('utf8')
}
