/**
 * Keeps stdout, which carries reports and JSON, for the program itself: what anybody else prints there, such as a plugin's forgotten `console.log`, goes to stderr, for the rest of the
 * process. Called before any code of plugins is loaded.
 */
let own: typeof process.stdout.write | undefined

export function claimStdout(): void {
  if (own !== undefined) return
  own = process.stdout.write.bind(process.stdout)
  process.stdout.write = process.stderr.write.bind(process.stderr)
}

/** Runs code of ours that prints. */
export function printing(action: () => void): void {
  if (own === undefined) return action()
  const others = process.stdout.write
  process.stdout.write = own
  try {
    action()
  } finally {
    process.stdout.write = others
  }
}
