/** What `ssh -vv` says while it runs a command through a control master, in a file of its own so that standard error is the command's alone. */
export interface CommandLog {
  /** The channel is open. */
  readonly opened: boolean
  /** The server opened none: its words. */
  readonly refused: string | undefined
  /** As the server has told; undefined if it has told none. */
  readonly exitCode: number | undefined
  /** Messages other than debugging ones. */
  readonly messages: readonly string[]
}

export function readCommandLog(text: string): CommandLog {
  const lines = text.split(/\r?\n/)
  const first = (pattern: RegExp): string | undefined => lines.map((line) => pattern.exec(line)?.[1]).find((match) => match !== undefined)
  const code = first(/^debug2: Received exit status from master (\d+)$/)
  return {
    opened: first(/^debug1: (mux_client_request_session): master session id: \d+$/) !== undefined,
    refused: first(/session request failed: (.*)$/) ?? first(/^(?:mux_client_request_session: )?(Master refused session request: .*)$/),
    exitCode: code === undefined ? undefined : Number(code),
    messages: lines.slice(1).filter((line) => line !== '' && !/^debug\d: /.test(line)),
  }
}
