import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from './failures.js'

/** What came before the end. */
interface Heard {
  /** Before the identification line; all there is if that never came. */
  readonly text: string
  /** As the identification line names it. */
  readonly software?: string | undefined
}

interface Told {
  readonly cure: string
  /** Shown where the server said nothing. */
  readonly remark?: string | undefined
  readonly cause?: Error | undefined
}

/**
 * Why a server ended the connection before the key exchange. One over its limits drops connections before it says who it is: OpenSSH's MaxStartups and PerSourceMaxStartups
 * ("Exceeded MaxStartups" up to 9.7), and its penalties for misbehaving addresses ("Not allowed at this time"). That text is lost if the kernel resets the connection.
 */
export function beforeGreeting(failures: Failures, { text, software }: Heard, { cure, remark, cause }: Told): OffloadFailure {
  const step = 'waiting for the SSH server'
  if (software === undefined && text !== '' && !/MaxStartups|Not allowed at this time/i.test(text)) {
    return failures.ofProtocol({
      code: 'not-an-ssh-server',
      step,
      problem: 'what listens on that port does not speak SSH',
      expected: 'a line that starts with SSH-2.0-',
      seen: JSON.stringify(text.slice(0, 120)),
      cause,
      cure: 'Check the port in the machine\'s entry',
    })
  }
  return failures.ofMachine({
    code: 'server-busy',
    step,
    problem: 'the SSH server closed the connection before it said anything',
    seen: text === '' ? remark : JSON.stringify(text),
    cause,
    cure,
  }, 'later')
}
