/** Quotes words for a POSIX shell. */
const quoteWord = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll('\'', `'\\''`)}'`)
export const quote = (...words: readonly string[]) => words.map(quoteWord).join(' ')
