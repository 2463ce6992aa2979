/** What the build and `setup` compile ahead: taken by V8, equal in its effect to the source, and never needed. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { afterEach, beforeEach, expect, it } from 'vitest'

let copy: string
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'bytecode-'))
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(copy, 'dist'), { recursive: true })
  // What tells Node that these are modules.
  cpSync(fileURLToPath(new URL('../../package.json', import.meta.url)), join(copy, 'package.json'))
})
afterEach(() => rmSync(copy, { recursive: true, force: true }))

const scheme = () => join(copy, 'dist', 'scheme')
const named = (end: string) => join(scheme(), readdirSync(scheme()).find((name) => name.endsWith(end)) ?? `no ${end}`)

/** A program of a table, a macro, a match and an exception, in a process of its own. */
const evaluated = () => execFileSync(process.execPath, ['--input-type=module', '-e', `
  const { loadSchemeToolkit } = await import(${JSON.stringify(pathToFileURL(join(copy, 'dist/container/scheme-toolkit.js')).href)})
  const text = \`(use-modules (ice-9 match) (srfi srfi-1))
    (define-syntax-rule (twice x) (list x x))
    (append (map (match-lambda ((a . b) (string-append a b))) '(("x" . "y"))) (twice (catch #t (lambda () (car '())) (lambda (key . _) (symbol->string key))))
            (list (char-alphabetic? #\\\\é) (/ 6 4.0)))\`
  const world = { environment: {}, hostName: 'h', account: { name: 'a', uid: 1, gid: 1, home: '/' }, readFile: () => '', fileExists: () => false, print() {} }
  const toolkit = await loadSchemeToolkit()
  console.log(JSON.stringify([await toolkit.evaluate({ text, file: '/m' }, world), await toolkit.evaluate({ text: '(frob 1)', file: '/m' }, world)]))
`], { encoding: 'utf8' })
const right = `${JSON.stringify([
  { value: ['xy', 'wrong-type-arg', 'wrong-type-arg', true, 1.5] },
  { failure: { kind: 'unknown', problem: 'Unbound variable: frob', location: { file: '/m', line: 1, column: 1 }, unknown: 'frob' } },
])}\n`

it('is made by the build, and V8 takes it', () => {
  const script = new Script(readFileSync(named('.cjs'), 'latin1'), { cachedData: readFileSync(named('.bytecode')) })
  expect(script.cachedDataRejected).toBe(false)
  expect(evaluated()).toBe(right)
})

it.each([
  ['is not there', () => rmSync(named('.bytecode'))],
  ['was cut off', () => truncateSync(named('.bytecode'), 1000)],
  ['is empty', () => truncateSync(named('.bytecode'))],
])('does not matter where it %s', (_what, spoil) => {
  spoil()
  expect(evaluated()).toBe(right)
})
