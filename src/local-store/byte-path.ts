/**
 * Paths below a store item. Names are bytes, not necessarily UTF-8; they are handled as strings of one character per byte (Latin-1): such
 * strings join cheaply, compare in byte order, and turn back into exactly the bytes they came from. They never go to a file operation as
 * strings: Node would encode those as UTF-8.
 */
export type BytePath = string

/** A string is taken as text and becomes UTF-8. */
export function bytePath(path: string | Uint8Array): BytePath {
  const bytes = typeof path === 'string' ? Buffer.from(path, 'utf8') : Buffer.from(path.buffer, path.byteOffset, path.byteLength)
  return bytes.toString('latin1')
}

export function joinBytes(directory: BytePath, name: BytePath): BytePath {
  return `${directory}/${name}`
}

/** For file operations. */
export function pathBuffer(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1')
}
