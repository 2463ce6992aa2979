import { styleText } from 'node:util'

/** How to print for whoever reads: plain text unless that is a terminal. */
export interface Style {
  /** Columns are lined up and headed; otherwise fields are separated by a tab, one machine a line, for other programs. */
  readonly table: boolean
  good(text: string): string
  bad(text: string): string
  strong(text: string): string
}

export const plainStyle: Style = { table: false, good: (text) => text, bad: (text) => text, strong: (text) => text }

/** Colours only on a terminal, and not where `NO_COLOR` is set (no-color.org: to anything but the empty string). */
export function styleFor(terminal: boolean, environment: Readonly<Record<string, string | undefined>>): Style {
  if (!terminal) return plainStyle
  if ((environment.NO_COLOR ?? '') !== '') return { ...plainStyle, table: true }
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) => styleText(format, text, { validateStream: false })
  return { table: true, good: paint('green'), bad: paint('red'), strong: paint('bold') }
}
