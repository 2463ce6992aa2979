/** Fisher-Yates; `random` is uniform in [0, 1). */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items]
  for (let left = result.length; left > 1; left -= 1) {
    const picked = result.splice(Math.floor(random() * left), 1)
    result.push(...picked)
  }
  return result
}
