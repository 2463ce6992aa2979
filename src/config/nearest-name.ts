import { closest, distance } from 'fastest-levenshtein'

/** The known name that was probably meant; undefined if none is close. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const lower = known.map((candidate) => candidate.toLowerCase())
  const nearest = closest(name.toLowerCase(), lower)
  return distance(name.toLowerCase(), nearest) <= Math.max(2, nearest.length / 3) ? known[lower.indexOf(nearest)] : undefined
}
