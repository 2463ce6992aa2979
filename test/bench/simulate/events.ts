interface Event {
  readonly time: number
  readonly order: number
  readonly action: () => void | Promise<void>
}

/** What happens, in the order of its time; at one time, in the order in which it was planned. */
export class Events {
  now = 0
  #planned = 0
  readonly #heap: Event[] = []

  /** Calls `action` after so many seconds of virtual time. */
  after(seconds: number, action: () => void | Promise<void>): void {
    this.#push({ time: this.now + Math.max(0, seconds), order: this.#planned, action })
    this.#planned += 1
  }

  /** Lets things happen until nothing is planned any more, or until `over`. */
  async run(over: () => boolean): Promise<void> {
    for (let next = this.#pop(); next !== undefined && !over(); next = this.#pop()) {
      this.now = next.time
      const work = next.action()
      if (work !== undefined) await work
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    heap.push(event)
    for (let index = heap.length - 1; index > 0;) {
      const parent = (index - 1) >> 1
      if (!this.#swapUnlessInOrder(parent, index)) break
      index = parent
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let index = 0; ;) {
      const left = 2 * index + 1
      const child = this.#before(left + 1, left) ? left + 1 : left
      if (child >= heap.length || !this.#swapUnlessInOrder(index, child)) return first
      index = child
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    return one !== undefined && other !== undefined && (one.time < other.time || (one.time === other.time && one.order < other.order))
  }

  #swapUnlessInOrder(parent: number, child: number): boolean {
    if (!this.#before(child, parent)) return false
    const [above, below] = [this.#heap[parent], this.#heap[child]]
    if (above === undefined || below === undefined) return false
    this.#heap[parent] = below
    this.#heap[child] = above
    return true
  }
}
