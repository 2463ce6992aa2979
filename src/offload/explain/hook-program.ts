import { execFile } from 'node:child_process'
import type { DaemonProcess } from './daemon-process.js'

/** What guix-daemon would start as its hook. */
export type HookProgram =
  /** Its environment is not ours to read. */
  | { readonly kind: 'unknown' }
  /** `GUIX` is not set: guix-daemon starts the `guix` it was built with. */
  | { readonly kind: 'built-in' }
  | { readonly kind: 'ours' | 'other' | 'broken'; readonly path: string; readonly answer: string }

const patience = 20_000

/** Asks the program itself, as guix-daemon would start it: what a wrapper leads to cannot be told by looking at it. */
export async function hookProgramOf({ variables }: DaemonProcess): Promise<HookProgram> {
  if (variables === undefined) return { kind: 'unknown' }
  const { GUIX: path } = variables
  return path === undefined || path === '' ? { kind: 'built-in' } : { path, ...(await ask(path, variables)) }
}

function ask(path: string, variables: Readonly<Record<string, string>>): Promise<{ readonly kind: 'ours' | 'other' | 'broken'; readonly answer: string }> {
  return new Promise((resolve) => {
    const child = execFile(path, ['offload', '--version'], { env: { ...variables }, cwd: '/', timeout: patience }, (error, stdout, stderr) => {
      const [first = ''] = stdout.trim().split('\n')
      if (error === null && first !== '') resolve({ kind: /^guix-offload\b/.test(first) ? 'ours' : 'other', answer: first })
      else resolve({ kind: 'broken', answer: lastLine(stderr) ?? error?.message.split('\n')[0] ?? 'it prints nothing' })
    })
    child.stdin?.end()
  })
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').findLast((line) => line.trim() !== '')?.trim()
}
