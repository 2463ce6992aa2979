/** What an exception nobody caught is called in a message. */
import { simpleFormat } from './library/simple-format.js'
import { print } from './printer.js'
import { Exception, items, type Value } from './value.js'

export function describe(payload: Value): string {
  if (!(payload instanceof Exception)) return `uncaught exception: ${print(payload, true)}`
  const args = items(payload.args) ?? []
  const [procedure, text, given] = args
  const fields = given === undefined ? undefined : items(given)
  if (args.length >= 3 && typeof text === 'string' && fields !== undefined) {
    const message = textOf(text, fields)
    return typeof procedure === 'string' && procedure !== '' ? `In procedure ${procedure}: ${message}` : message
  }
  if (payload.key.name === 'match-error') return `no matching pattern for ${print(args.at(-1) ?? false, true)}`
  if (payload.key.name === 'quit') return 'the program ends itself with "exit"'
  return `Throw to key '${payload.key.name}' with args ${print(payload.args, true)}`
}

function textOf(text: string, args: readonly Value[]): string {
  try {
    return simpleFormat(text, args)
  } catch {
    return [text, ...args.map((arg) => print(arg, true))].join(' ')
  }
}
