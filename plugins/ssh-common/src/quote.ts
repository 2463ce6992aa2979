/**
 * Quoting for a POSIX shell: `exec` of SSH carries one string, which the server hands to the user's login shell.
 * Between single quotes every byte stands for itself; a single quote is put in as `'\''`. An equals sign is harmless in an option, but makes an assignment
 * of what should be a command.
 */
const harmless = /^(?:[A-Za-z0-9_@%+:,./-]+|-[A-Za-z0-9_@%+=:,./-]+)$/

export function quoteWord(word: string): string {
  return harmless.test(word) ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`
}

/** @throws RangeError for what no shell command line can carry: no words at all, or a NUL in one. */
export function quoteCommand(words: readonly string[]): string {
  if (words.length === 0) throw new RangeError('a command needs at least one word')
  const bad = words.find((word) => word.includes('\0'))
  if (bad !== undefined) throw new RangeError(`a word holds a NUL character: ${JSON.stringify(bad)}`)
  return words.map(quoteWord).join(' ')
}
