/** A connection whose commands are played by the test: each gets the streams of one command and does what a command does with them. */
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { BuildMachine, Connection, RemoteExit } from '../../src/plugin-api/index.js'

export const farMachine: BuildMachine = {
  name: 'builder',
  port: 2222,
  systems: ['x86_64-linux'],
  user: 'me',
  hostKey: 'ssh-ed25519 AAAA',
  daemonSocket: '/run/daemon/socket',
  overloadThreshold: null,
  parallelBuilds: 1,
  speed: 1,
  features: [],
  source: 'test',
}

export interface PlayedCommand {
  readonly words: readonly string[]
  readonly signal: AbortSignal
  /** What it was sent so far. */
  input(): Buffer
  /** Fulfilled once the input fits. */
  until(fits: (input: Buffer) => boolean): Promise<void>
  /** Fulfilled once the input has ended. */
  readonly inputEnded: Promise<void>
  print(text: string | Uint8Array): void
  complain(text: string | Uint8Array): void
  exit(code: number): void
  /** Every write fails from now on. */
  refuseInput(error: Error): void
}

export type Play = (command: PlayedCommand) => void | Promise<void>

export interface PlayedConnection extends Connection {
  readonly commands: PlayedCommand[]
}

/** @param plays the first command gets the first, and so on; the last one plays the rest */
export function playedConnection(plays: readonly Play[], more: Partial<Connection> = {}): PlayedConnection {
  const commands: PlayedCommand[] = []
  return {
    machine: farMachine,
    roundTripMs: 0.1,
    details: {},
    closed: new Promise(() => undefined),
    close: () => Promise.resolve(),
    ...more,
    commands,
    exec: (words, { signal }) => {
      signal.throwIfAborted()
      const play = plays[Math.min(commands.length, plays.length - 1)]
      const [stdout, stderr] = [new PassThrough(), new PassThrough()]
      const chunks: Buffer[] = []
      const arrivals = new PassThrough({ objectMode: true }).resume()
      const stdin = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk)
          done()
          arrivals.emit('arrival')
        },
      })
      const inputEnded = new Promise<void>((resolve) => stdin.once('close', () => resolve()))
      let settle: (exit: RemoteExit) => void = () => undefined
      const exit = new Promise<RemoteExit>((resolve, reject) => {
        settle = resolve
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
          for (const stream of [stdin, stdout, stderr]) stream.destroy(signal.reason as Error)
        })
      })
      exit.catch(() => undefined)
      for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined)
      const command: PlayedCommand = {
        words,
        signal,
        inputEnded,
        input: () => Buffer.concat(chunks),
        async until(fits) {
          while (!fits(Buffer.concat(chunks))) await once(arrivals, 'arrival')
        },
        print: (text) => void stdout.write(text),
        complain: (text) => void stderr.write(text),
        exit(code) {
          stdout.end()
          stderr.end()
          settle({ code, signal: null })
        },
        refuseInput: (error) => void stdin.destroy(error),
      }
      commands.push(command)
      void play?.(command)
      return Promise.resolve({ stdin, stdout, stderr, exit })
    },
  }
}
