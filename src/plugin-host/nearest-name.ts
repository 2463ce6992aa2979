import { distance } from 'fastest-levenshtein'

/** The known name that was probably meant; undefined if none is close. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const apart = distance(name.toLowerCase(), candidate.toLowerCase())
    if (apart <= Math.max(2, candidate.length / 3) && (best === undefined || apart < best.distance)) best = { name: candidate, distance: apart }
  }
  return best?.name
}
