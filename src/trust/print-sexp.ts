import type { Sexp } from './sexp.js'

/**
 * Prints s-expressions. The advanced form is libgcrypt's `GCRYSEXP_FMT_ADVANCED` byte for byte, line breaks included, because that is what Guix puts
 * into signatures, key files and the acl.
 *
 * Bytes, not text: libgcrypt prints an octet string that happens to hold printable Latin-1 only as a quoted string with those bytes as they are.
 * About one hash in ten thousand looks like that; taken for UTF-8 its signature would be lost.
 */
type Encoding = 'hexadecimal' | 'string' | 'token'

const tokenBytes = byteSet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-./_:*+=')
const escapes: ReadonlyMap<number, string> = new Map(
  [['\b', 'b'], ['\t', 't'], ['\v', 'v'], ['\n', 'n'], ['\f', 'f'], ['\r', 'r'], ['"', '"'], ['\'', '\''], ['\\', '\\']]
    .map(([byte = '', letter = '']) => [byte.charCodeAt(0), `\\${letter}`]),
)

function byteSet(characters: string): ReadonlySet<number> {
  return new Set(Buffer.from(characters, 'latin1'))
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte > 0xa0 || escapes.has(byte)
}

/** A set top bit is taken for the sign of a number, zero bytes and other control characters for binary data. */
function suitableEncoding(bytes: Buffer): Encoding {
  const first = bytes[0]
  if (first === undefined) return 'string'
  if (first >= 0x80 || !bytes.every(isPrintable)) return 'hexadecimal'
  const isDigit = first >= 0x30 && first <= 0x39
  return !isDigit && bytes.every((byte) => tokenBytes.has(byte)) ? 'token' : 'string'
}

function printAtom(bytes: Buffer): string {
  switch (suitableEncoding(bytes)) {
    case 'hexadecimal': return `#${bytes.toString('hex').toUpperCase()}#`
    case 'token': return bytes.toString('latin1')
    case 'string': return `"${Array.from(bytes, (byte) => escapes.get(byte) ?? String.fromCharCode(byte)).join('')}"`
  }
}

/**
 * libgcrypt's layout: every list but the outermost starts a line, indented by its depth; so does whatever follows a list's end, unless that is a
 * list again. Each atom but the last of a list is followed by a space, even at the end of a line.
 */
export function printAdvanced(sexp: Sexp): Buffer {
  const out: string[] = []
  const newLine = (depth: number): void => {
    out.push('\n', ' '.repeat(depth))
  }
  const print = (node: Sexp, depth: number): void => {
    if (node.kind === 'atom') {
      out.push(printAtom(node.bytes))
      return
    }
    if (depth > 0) newLine(depth)
    out.push('(')
    node.items.forEach((item, index) => {
      const next = node.items[index + 1]
      print(item, depth + 1)
      if (item.kind === 'atom' && next !== undefined) out.push(' ')
      if (item.kind === 'list' && next?.kind !== 'list') newLine(depth + 1)
    })
    out.push(')')
  }
  print(sexp, 0)
  out.push('\n')
  return Buffer.from(out.join(''), 'latin1')
}

/** On one line, for messages and commands; libgcrypt reads it. */
export function printInline(sexp: Sexp): string {
  return sexp.kind === 'atom' ? printAtom(sexp.bytes) : `(${sexp.items.map(printInline).join(' ')})`
}

/** `LENGTH:BYTES` and parentheses, nothing else: the same for all ways to write an expression. */
export function printCanonical(sexp: Sexp): Buffer {
  if (sexp.kind === 'list') return Buffer.concat([Buffer.from('('), ...sexp.items.map(printCanonical), Buffer.from(')')])
  return Buffer.concat([Buffer.from(`${sexp.bytes.length}:`), sexp.bytes])
}
