import type { RemoteExit, RemoteProcess } from 'guix-offload/plugin-api'
import type { ClientChannel } from 'ssh2'
import { ChannelReader, ChannelWriter } from './channel-streams.js'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { sendSignal } from './ssh2-internals.js'

export interface Subject<T> {
  readonly value: T
  /** Ends everything on it with this error, at once. */
  kill(error: Error): void
}

/**
 * A command that has just been started. Called before ssh2 handles its next message, so that no event is missed.
 * @param taken - To be told of every byte passed on.
 * @param onClosed - Called when the channel is gone.
 */
export function remoteProcess(channel: ClientChannel, step: string, failures: Failures, taken: (bytes: number) => void, onClosed: () => void): Subject<RemoteProcess> {
  const ended = (): Error => failures.ofMachine({ code: 'channel-closed', step, problem: 'the command has ended and reads no more input' })
  const closeWhenDone = untilExit(channel)
  const stdin = new ChannelWriter(channel, ended)
  const stdout = new ChannelReader(channel, taken)
  const stderr = new ChannelReader(channel.stderr, taken)
  let kill: (error: Error) => void = () => undefined
  const exit = new Promise<RemoteExit>((resolve, reject) => {
    kill = (error) => {
      reject(error)
      stdin.refuse(error)
      for (const stream of [stdin, stdout, stderr]) stream.destroy(error)
      sendSignal(channel, 'TERM')
      channel.close()
      onClosed()
    }
    channel.once('exit', (code: number | null, signal?: string) => {
      resolve({ code, signal: signal?.replace(/^SIG/, '') ?? null })
      closeWhenDone()
      stdin.refuse(ended())
    })
    channel.once('close', () => {
      onClosed()
      reject(failures.ofMachine({
        code: 'exit-unknown',
        step,
        problem: 'the server closed the channel without saying how the command ended',
        cure: 'Was the command\'s session ended on the machine? Its log may tell',
      }))
    })
  })
  exit.catch(() => undefined)
  return { value: { stdin, stdout, stderr, exit }, kill: (error) => kill(error) }
}

/**
 * Node destroys a stream that has ended both ways, and ssh2 then closes the channel. That is put off until the exit status is known: some servers (lshd) end the output
 * before they tell it.
 */
function untilExit(channel: ClientChannel): () => void {
  const destroy = channel.destroy.bind(channel)
  let exited = false
  let wanted = false
  channel.destroy = () => {
    wanted = true
    return exited ? destroy() : channel
  }
  return () => {
    exited = true
    if (wanted) destroy()
  }
}
