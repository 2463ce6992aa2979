/** Uniform in [0, 1). */
export type Random = () => number

/** The same draws for the same seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws of its own for each name, so that adding one thing leaves the others as they are. */
export function seededBy(name: string, seed: number): Random {
  let hash = seed ^ 0x811c9dc5
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return seeded(hash)
}

export function pick<T>(random: Random, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0]
}

export function between(random: Random, low: number, high: number): number {
  return low + random() * (high - low)
}

/** Many small ones, few large ones: how build times and sizes of packages are spread. */
export function logNormal(random: Random, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return median * Math.exp(sigma * normal)
}

/** Time until the next of events that come by chance, `mean` apart. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean
}
