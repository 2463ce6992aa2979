/**
 * Which store items a machine is believed to have, for choosing the one that needs least: eight characters of each item's hash (40 bits), so that two of {@link maximumItems} are
 * taken for each other less than once in ten million times. The text is a log, one line for each thing learnt: `+` there, `-` not there. Later lines count; anything else is skipped.
 */
const markLength = 8
const line = /^([+-])([0-9a-z]{8})$/

/** Beyond that, what has been learnt first is forgotten. */
export const maximumItems = 8192

export class BelievedItems {
  /** Oldest first. */
  readonly #marks = new Set<string>()

  constructor(
    text = '',
    readonly maximum = maximumItems,
  ) {
    for (const [, sign, mark = ''] of text.split('\n').map((part) => line.exec(part) ?? [])) this.#learn(sign === '+', mark)
  }

  /** @param path of a store item */
  has(path: string): boolean {
    return this.#marks.has(markOf(path))
  }

  /** Returns the lines to append: what was not known before. */
  learn({ present = [], absent = [] }: Lesson): string {
    const news: string[] = []
    for (const [there, paths] of [[false, absent], [true, present]] as const) {
      for (const mark of paths.map(markOf)) {
        if (this.#marks.has(mark) !== there) news.push(`${there ? '+' : '-'}${mark}\n`)
        this.#learn(there, mark)
      }
    }
    return news.join('')
  }

  /** The shortest text that says the same. */
  text(): string {
    return [...this.#marks].map((mark) => `+${mark}\n`).join('')
  }

  #learn(there: boolean, mark: string): void {
    if (mark === '') return
    this.#marks.delete(mark)
    if (!there) return
    this.#marks.add(mark)
    if (this.#marks.size <= this.maximum) return
    const [oldest = ''] = this.#marks
    this.#marks.delete(oldest)
  }
}

/** Store paths. */
export interface Lesson {
  readonly present?: readonly string[]
  readonly absent?: readonly string[]
}

function markOf(path: string): string {
  const start = path.lastIndexOf('/') + 1
  return path.slice(start, start + markLength)
}
