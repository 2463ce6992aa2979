import { ConfigurationError } from '../errors/offload-error.js'
import type { BuildMachine } from '../plugin-api/index.js'

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z', alpha: 'A-Za-z', blank: ' \\t', digit: '0-9', lower: 'a-z', punct: '!-\\/:-@\\[-`{-~', space: '\\s', upper: 'A-Z', xdigit: '0-9A-Fa-f',
}

/**
 * Keeps the machines whose name matches anywhere, as the second argument of `guix offload test` does. That is a POSIX extended
 * expression; of what JavaScript writes differently, only the named classes (`[[:digit:]]`) are plausible in a host name.
 * @throws ConfigurationError
 */
export function filterByName(machines: readonly BuildMachine[], expression: string | undefined): readonly BuildMachine[] {
  if (expression === undefined) return machines
  const source = expression.replace(/\[:([a-z]+):\]/g, (written, name: string) => posixClasses[name] ?? written)
  let compiled: RegExp
  try {
    compiled = new RegExp(source)
  } catch (cause) {
    throw new ConfigurationError({
      code: 'invalid-regexp',
      step: 'selecting machines by name',
      problem: `${JSON.stringify(expression)} is no regular expression`,
      expected: 'an expression such as ^b[0-9]',
      cause,
    })
  }
  return machines.filter(({ name }) => compiled.test(name))
}
