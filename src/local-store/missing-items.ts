import type { PathInfo } from '../protocol/replies.js'

/** A store item with what the local daemon records about it. */
export interface LocalItem {
  readonly path: string
  readonly info: PathInfo
}

/**
 * Puts references before what refers to them, as a bundle demands, and derivations as early as that allows: a daemon records which one made an item only
 * if it has that derivation when the item arrives. Self-references are fine; references outside the set are left out of account.
 */
export function inReferenceOrder(items: readonly LocalItem[]): LocalItem[] {
  const byPath = new Map(items.map((item) => [item.path, item]))
  const ordered: LocalItem[] = []
  const visited = new Set<string>()
  // Iterative: chains of references can be thousands long.
  for (const root of [...items.filter(isDerivation), ...items]) {
    const open: { readonly item: LocalItem; readonly references: Iterator<string> }[] = []
    const enter = (path: string): void => {
      const item = byPath.get(path)
      if (item === undefined || visited.has(path)) return
      visited.add(path)
      open.push({ item, references: item.info.references[Symbol.iterator]() })
    }
    enter(root.path)
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.references.next()
      if (next.done === true) {
        open.pop()
        ordered.push(top.item)
      } else {
        enter(next.value)
      }
    }
  }
  return ordered
}

function isDerivation({ path }: LocalItem): boolean {
  return path.endsWith('.drv')
}
