/**
 * Keeps stdout, which carries reports and JSON, for the program itself: what anybody else prints there, such as a plugin's forgotten `console.log`, goes to stderr, for the rest of the
 * process. Called before any code of plugins is loaded.
 */
let claimed = false

export function claimStdout(): void {
  if (claimed) return
  claimed = true
  process.stdout.write = process.stderr.write.bind(process.stderr)
}

/** Runs code of ours that prints. */
export function printing(action: () => void): void {
  const others = Object.getOwnPropertyDescriptor(process.stdout, 'write')
  if (!claimed || others === undefined) return action()
  // What was put over the method of the stream is taken off.
  Reflect.deleteProperty(process.stdout, 'write')
  try {
    action()
  } finally {
    Object.defineProperty(process.stdout, 'write', others)
  }
}
