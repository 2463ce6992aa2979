import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Compiles the hook process with what it imports into a folder of its own, without checking types. */
export function compileHook(): { readonly program: string; readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'hook-'))
  const sources = ['src/hook', 'src/errors'].flatMap((each) => readdirSync(join(root, each)).map((name) => join(each, name)))
  for (const source of [...sources, 'test/unit/hook/hook-process.ts']) {
    const target = join(folder, source.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(target), { recursive: true })
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
    writeFileSync(target, ts.transpileModule(readFileSync(join(root, source), 'utf8'), { compilerOptions: options }).outputText)
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return { program: join(folder, 'test/unit/hook/hook-process.js'), folder, remove: () => rmSync(folder, { recursive: true }) }
}

export interface StartedHook {
  readonly child: ChildProcess
  readonly stdin: Writable
  readonly messages: Readable
  readonly log: Readable | null
  /** Everything read from the messages so far. */
  text(): string
  /** What happened inside so far. */
  journal(): string[]
  /** Fulfilled once `condition` holds. */
  until(condition: () => boolean): Promise<void>
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

let started = 0

/** As guix-daemon starts it: fd 0 a pipe, fd 2 the pipe back, fd 4 the build log, working folder `/`, a session of its own. */
export function startHook({ program, folder }: { program: string; folder: string }, { log = true } = {}): StartedHook {
  started += 1
  const journal = join(folder, `journal-${started}`)
  const child = spawn(process.execPath, [program, journal], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'ignore', 'pipe', 'ignore', ...(log ? ['pipe' as const] : [])] })
  const [stdin, , messages, , fd4] = child.stdio
  let text = ''
  messages?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  stdin?.on('error', () => {})
  const exit = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }))
  return {
    child,
    stdin: stdin as Writable,
    messages: messages as Readable,
    log: (fd4 ?? null) as Readable | null,
    text: () => text,
    journal: () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').filter((line) => line !== '') : []),
    async until(condition) {
      for (let turn = 0; turn < 1_500 && !condition(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 5))
      if (!condition()) throw new Error(`waited in vain; journal: ${readFileSync(journal, 'utf8')}; messages: ${text}`)
    },
    exit,
  }
}
