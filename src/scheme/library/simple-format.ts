import { print } from '../printer.js'
import { failed } from '../throw.js'
import type { Value } from '../value.js'

/** `simple-format`: `~a ~s ~%` alone. */
export function simpleFormat(text: string, args: readonly Value[]): string {
  let at = 0
  const out = text.replace(/~(.)/gs, (_, letter: string) => {
    switch (letter.toLowerCase()) {
      case '%': return '\n'
      case '~': return '~'
      case 'a':
      case 's': {
        const value = args[at++]
        if (value === undefined) throw failed('misc-error', 'simple-format', 'FORMAT: Missing argument for ~~~A', [letter])
        return print(value, letter.toLowerCase() === 's')
      }
      default: throw failed('misc-error', 'simple-format', 'FORMAT: Unsupported format option ~~~A - use (ice-9 format) instead', [letter])
    }
  })
  if (at < args.length) throw failed('misc-error', 'simple-format', 'FORMAT: ~A superfluous arguments', [BigInt(args.length - at)])
  return out
}
