/** Quotes words for a POSIX shell. */
export const quote = (...words: readonly string[]) => words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll('\'', `'\\''`)}'`)).join(' ')
