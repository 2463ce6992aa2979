/**
 * Runs code of plugins while anything printed to stdout goes to stderr: stdout carries answers to guix-daemon and JSON, and a forgotten `console.log` in a
 * plugin must not get between.
 */
export async function withoutStdout<T>(action: () => Promise<T>): Promise<T> {
  const own = Object.getOwnPropertyDescriptor(process.stdout, 'write')
  process.stdout.write = process.stderr.write.bind(process.stderr)
  try {
    return await action()
  } finally {
    if (own === undefined) Reflect.deleteProperty(process.stdout, 'write')
    else Object.defineProperty(process.stdout, 'write', own)
  }
}
