/** How a service is started: the value of `ExecStart` (systemd.service(5)). */
export interface ExecStart {
  /** Of the unit or the drop-in that says so. */
  readonly file: string
  /** Characters such as `-` and `!` that say how. */
  readonly prefix: string
  /** Absolute path. */
  readonly program: string
  /** Blanks and arguments, as they are written. */
  readonly rest: string
  /** Over what our drop-in says. */
  readonly wins: boolean
}

/** Undefined for what is empty, or too unusual to be understood: quotes, specifiers and the like in the program's path. */
export function parseExecStart(value: string, file: string, wins: boolean): ExecStart | undefined {
  const [, prefix = '', program = '', rest = ''] = /^([-@:+!|]*)(\/[^\s"'\\%$]+)(\s.*)?$/.exec(value) ?? []
  return program === '' ? undefined : { file, prefix, program, rest, wins }
}
