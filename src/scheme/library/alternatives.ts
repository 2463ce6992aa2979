/** The parts of `~[…~;…~:;…~]` of `(ice-9 format)`: groups inside of a part keep their separators. */
export function alternatives(body: string): { parts: string[]; otherwise: string | undefined } {
  const parts: string[] = []
  let depth = 0
  let start = 0
  let last = false
  const pattern = /~((?:[+-]?\d+|'.|[vV#])?(?:,(?:[+-]?\d+|'.|[vV#])?)*)([:@]*)(.)/gs
  for (let found = pattern.exec(body); found !== null; found = pattern.exec(body)) {
    const letter = found[3] ?? ''
    if ('[{('.includes(letter)) depth++
    else if (']})'.includes(letter)) depth--
    else if (letter === ';' && depth === 0) {
      parts.push(body.slice(start, found.index))
      start = pattern.lastIndex
      last = found[2] === ':'
    }
  }
  const rest = body.slice(start)
  return last ? { parts, otherwise: rest } : { parts: [...parts, rest], otherwise: undefined }
}
