/**
 * The real thing for what the built-in evaluator does not know: `guix repl` loads the file as stock does and writes the machines as data.
 *
 * The script goes in as the expressions of its machine-readable protocol; the answer is not taken from that protocol's replies but from the line that starts with
 * a word made up for this run, so that a program may print what it likes.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { access, constants } from 'node:fs/promises'
import type { SourceContext } from 'guix-offload/plugin-api'

const MAXIMUM_OUTPUT = 16 * 1024 * 1024

/** Loads FILE in a module that sees what stock's sees; answers `(machines ITEM …)`, `(value TEXT)` or `(failed TEXT PLACE)`. */
const SCRIPT = String.raw`
(use-modules (ice-9 match))
(define out (current-output-port))
(set-port-encoding! out "UTF-8")
(define (answer datum)
  (newline out) (display mark out) (write datum out) (newline out) (force-output out))
(define (place-of properties)
  (and (pair? properties)
       (let ((line (assq-ref properties 'line)) (column (assq-ref properties 'column)))
         (and line column (list (or (assq-ref properties 'filename) file) (+ 1 line) column)))))
(define (plain value)
  (cond ((or (string? value) (number? value) (boolean? value) (symbol? value)) value)
        ((list? value) (map plain value))
        (else (string->symbol (object->string value)))))
(define machine? (@ (guix scripts offload) build-machine?))
(define (describe item)
  (if (machine? item)
      (let* ((type (struct-vtable item)) (get (lambda (field) ((record-accessor type field) item))))
        (let ((location ((@ (guix scripts offload) build-machine-location) item)))
          (list 'machine
                (map (lambda (field) (list field (plain (get field)))) (delq 'location (record-type-fields type)))
                (and location
                     (list ((@ (guix diagnostics) location-file) location)
                           ((@ (guix diagnostics) location-line) location)
                           ((@ (guix diagnostics) location-column) location))))))
      (list 'other (object->string item))))
(answer
 (catch #t
   (lambda ()
     (let* ((module (make-fresh-user-module))
            (value (begin
                     (module-use! module (resolve-interface '(guix scripts offload)))
                     (save-module-excursion
                      (lambda () (set-current-module module) (primitive-load file))))))
       (if (list? value) (cons 'machines (map describe value)) (list 'value (object->string value)))))
   (lambda (key . args)
     (match (cons key args)
       (('syntax-error who message properties form subform)
        (list 'failed (if (string? message) message (object->string message)) (place-of properties)))
       (_ (list 'failed
                (string-trim-both (call-with-output-string (lambda (port) (print-exception port #f key args))))
                #f))))))
`

const CANDIDATES = [
  '/run/current-system/profile/bin/guix', '/var/guix/profiles/per-user/root/current-guix/bin/guix', '/usr/local/bin/guix', '/usr/bin/guix',
]

/** The Guix to ask: the one configured, or the first of the usual places. */
export async function findGuix(context: SourceContext, configured: string | undefined): Promise<string | undefined> {
  const places = configured === undefined ? [`${context.homeDirectory}/.config/guix/current/bin/guix`, ...CANDIDATES] : [configured]
  for (const place of places) if (await access(place, constants.X_OK).then(() => true, () => false)) return place
  return undefined
}

export interface ReplRequest {
  readonly guix: string
  /** Absolute. */
  readonly file: string
  readonly context: SourceContext
  readonly timeoutMs: number
  readonly print: (line: string) => void
}

/** The answer as the text of a datum, or why there is none. */
export type ReplAnswer = { readonly datum: string; readonly problem?: undefined } | { readonly problem: string }

export function askGuixRepl({ guix, file, context, timeoutMs, print }: ReplRequest): Promise<ReplAnswer> {
  return new Promise((resolve, reject) => {
    const mark = `answer-${randomUUID()} `
    const env = { ...context.environment, HOME: context.homeDirectory, GUILE_AUTO_COMPILE: '0' }
    const timer = AbortSignal.timeout(timeoutMs)
    const child = spawn(guix, ['repl', '-q', '-t', 'machine'], { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'], signal: AbortSignal.any([timer, context.signal]), killSignal: 'SIGKILL' })
    const chunks: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        chunks[name] += chunk
        if (chunks[name].length > MAXIMUM_OUTPUT) child.kill('SIGKILL')
      })
    }
    // It may end before it has read all: what it says then is in its output.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`(define file ${JSON.stringify(file)}) (define mark ${JSON.stringify(mark)}) ${SCRIPT}`)
    child.on('error', (error) => {
      if (context.signal.aborted) reject(error)
      else resolve({ problem: timer.aborted ? `${guix} repl was not done after ${timeoutMs / 1000} s` : `${guix} could not be started: ${error.message}` })
    })
    child.on('close', (code, signal) => {
      const lines = chunks.stdout.split('\n')
      const answer = lines.find((line) => line.startsWith(mark))
      for (const line of lines) if (line !== answer && !/^\((?:repl-version|values|exception) ?/.test(line) && line !== '') print(line)
      if (answer !== undefined) resolve({ datum: answer.slice(mark.length) })
      else resolve({ problem: [`${guix} repl ended with ${signal ?? `status ${code}`}`, chunks.stderr.trim().split('\n').pop() ?? ''].filter((part) => part !== '').join(': ') })
    })
  })
}
