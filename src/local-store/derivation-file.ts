/**
 * Derivation files (`.drv`): a term in ATerm syntax,
 * `Derive(OUTPUTS,INPUT-DERIVATIONS,INPUT-SOURCES,SYSTEM,BUILDER,ARGUMENTS,ENVIRONMENT)`, made of strings in double quotes with the escapes
 * `\n \r \t \" \\`, lists in brackets and tuples in parentheses. Read as Latin-1: values of the environment may be any bytes, and nothing that is used here is.
 */
import { readFileSync } from 'node:fs'
import { ProtocolError } from '../errors/offload-error.js'

export interface Derivation {
  /** Store path by output name. */
  readonly outputs: ReadonlyMap<string, string>
  /** Names of the outputs needed, by store path of the derivation. */
  readonly inputDerivations: ReadonlyMap<string, readonly string[]>
  readonly inputSources: readonly string[]
  readonly system: string
  /** Of the builder. Some variables are meant for guix-daemon: `requiredSystemFeatures`, `preferLocalBuild`, `allowSubstitutes`. */
  readonly environment: ReadonlyMap<string, string>
}

type Term = string | readonly Term[]
const maximumDepth = 8
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** @throws ProtocolError */
export function parseDerivation(text: string, file = 'a derivation'): Derivation {
  let position = 0
  const fail = (expected: string): ProtocolError =>
    new ProtocolError(
      { code: 'malformed-derivation', step: 'reading a derivation', subject: file, problem: `malformed at byte ${position}`, expected },
      'never',
    )
  const expect = (token: string): void => {
    if (!text.startsWith(token, position)) throw fail(JSON.stringify(token))
    position += token.length
  }
  const string = (): string => {
    expect('"')
    let value = ''
    for (;;) {
      const start = position
      while (position < text.length && text[position] !== '"' && text[position] !== '\\') position += 1
      value += text.slice(start, position)
      const end = text[position]
      position += 1
      if (end === '"') return value
      const escaped = text[position]
      if (escaped === undefined) throw fail('the end of a string')
      value += escapes[escaped] ?? escaped
      position += 1
    }
  }
  const sequence = (open: string, close: string, depth: number): readonly Term[] => {
    if (depth > maximumDepth) throw fail('less nesting')
    expect(open)
    const items: Term[] = []
    while (text[position] !== close) {
      if (items.length > 0) expect(',')
      items.push(term(depth + 1))
    }
    position += 1
    return items
  }
  const term = (depth: number): Term => {
    switch (text[position]) {
      case '"':
        return string()
      case '[':
        return sequence('[', ']', depth)
      case '(':
        return sequence('(', ')', depth)
      default:
        throw fail('a string, a list or a tuple')
    }
  }
  expect('Derive')
  const fields = sequence('(', ')', 0)
  const list = (index: number): readonly Term[] => {
    const value = fields[index]
    if (!Array.isArray(value)) throw fail(`a list as part ${index + 1}`)
    return value as readonly Term[]
  }
  const pair = (value: Term): readonly [string, Term] => {
    const [first, second] = typeof value === 'string' ? [] : value
    if (typeof first !== 'string' || second === undefined) throw fail('a tuple that begins with a string')
    return [first, second]
  }
  const text_ = (value: Term | undefined): string => {
    if (typeof value !== 'string') throw fail('a string')
    return value
  }
  return {
    outputs: new Map(list(0).map((output) => [pair(output)[0], text_(pair(output)[1])])),
    inputDerivations: new Map(
      list(1).map((input) => {
        const [path, names] = pair(input)
        if (typeof names === 'string') throw fail('a list of output names')
        return [path, names.map(text_)]
      }),
    ),
    inputSources: list(2).map(text_),
    system: text_(fields[3]),
    environment: new Map(
      list(6).map((variable) => {
        const [name, value] = pair(variable)
        return [name, text_(value)]
      }),
    ),
  }
}

/** @throws ProtocolError, NodeJS.ErrnoException */
export function readDerivation(file: string): Derivation {
  return parseDerivation(readFileSync(file, 'latin1'), file)
}

/** What its builder needs first of all: sources, and the outputs of the derivations it names. */
export function directInputs(derivation: Derivation): string[] {
  const outputs: string[] = []
  for (const [path, names] of derivation.inputDerivations) {
    const input = readDerivation(path)
    for (const name of names) {
      const output = input.outputs.get(name)
      if (output !== undefined) outputs.push(output)
    }
  }
  return [...outputs, ...derivation.inputSources]
}
