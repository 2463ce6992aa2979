/** The words of Guile's surface syntax: delimiters, names of characters, escapes in strings, and the marks that stand for forms. */
export const DELIMITERS = new Set(' \t\n\r\f\v()[]";')
const CHARACTER_NAMES: Readonly<Record<string, number>> = {
  space: 32, newline: 10, nl: 10, linefeed: 10, tab: 9, ht: 9, return: 13, cr: 13, nul: 0, null: 0, alarm: 7, backspace: 8, bs: 8, delete: 127, del: 127, rubout: 127, escape: 27, esc: 27,
  altmode: 27, page: 12, np: 12, ff: 12, vtab: 11, vt: 11, sp: 32, lf: 10, soh: 1, bel: 7,
}
export const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', 0: '\0', '\\': '\\', '"': '"', '|': '|', '(': '(' }
export const QUOTES: Readonly<Record<string, string>> = { '\'': 'quote', '`': 'quasiquote', ',': 'unquote', ',@': 'unquote-splicing' }
export const HASH_QUOTES: Readonly<Record<string, string>> = {
  '#\'': 'syntax', '#`': 'quasisyntax', '#,': 'unsyntax', '#,@': 'unsyntax-splicing', '#~': 'gexp', '#$': 'ungexp', '#$@': 'ungexp-splicing', '#+': 'ungexp-native', '#+@': 'ungexp-native-splicing',
}

/** The code point that `#\WORD` stands for, of words longer than one character. */
export function characterCode(word: string): number | undefined {
  const named = CHARACTER_NAMES[word.toLowerCase()]
  if (named !== undefined) return named
  const hexadecimal = /^[xU]\+?([0-9a-fA-F]+)$/.exec(word)
  const octal = /^[0-7]{2,}$/.test(word)
  const code = hexadecimal !== null ? parseInt(hexadecimal[1] ?? '', 16) : octal ? parseInt(word, 8) : -1
  return code >= 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? code : undefined
}
