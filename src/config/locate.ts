/** Where keys stand in a configuration file: lines and columns, from 1. YAML and, as its subset, JSON. Loaded only where there is something to say of a place. */
import { LineCounter, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml'

export interface Position {
  readonly line: number
  readonly column: number
}

/** Finds the place of a key or of a list's item by its path; if it is not written there, that of the nearest one around it. Undefined: not even that. */
export function locator(text: string): (path: readonly string[]) => Position | undefined {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  return (path) => {
    let node: unknown = document.contents
    let offset: number | undefined
    for (const key of path) {
      const found = child(node, key)
      if (found === undefined) break
      offset = found.offset ?? offset
      node = found.node
    }
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
}

function child(node: unknown, key: string): { readonly node: unknown; readonly offset: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
    return pair === undefined ? undefined : { node: pair.value, offset: start(pair.key) }
  }
  if (!isSeq(node)) return undefined
  const item = node.items[Number(key)]
  return item === undefined ? undefined : { node: item, offset: start(item) }
}

function start(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}
