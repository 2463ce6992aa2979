/**
 * Makes `guix-1.5.0-emacs.graph.gz`, a real graph for the simulator: the derivations that Guix 1.5.0 would build for Emacs without any substitute, down to the bootstrap seeds, sources
 * included. Computed in a machine of the test bed, without network; nothing is built. Run by hand, as root: `npx tsx test/bench/simulate/make-graph.ts`
 *
 * One line for each derivation, what it depends on before it: kind (`b` builds, `f` fetches: its output is fixed), name, and by how many lines above each direct input stands.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { TestBed } from '../../testbed/bed.js'

const program = `
(use-modules (guix) (guix derivations) (guix grafts) (gnu packages) (srfi srfi-1))
(define lines (make-hash-table))
(define next 0)
(define (visit drv)
  (let ((file (derivation-file-name drv)))
    (unless (hash-ref lines file)
      (let ((inputs (map derivation-input-derivation (derivation-inputs drv))))
        (for-each visit inputs)
        (hash-set! lines file next)
        (format #t "GRAPH ~a ~a~{ ~a~}~%"
                (if (fixed-output-derivation? drv) "f" "b")
                (derivation-name drv)
                (sort (delete-duplicates (map (lambda (input) (- next (hash-ref lines (derivation-file-name input)))) inputs)) <))
        (set! next (1+ next))))))
(with-store store
  (%graft? #f)
  (visit (package-derivation store (specification->package "emacs") #:graft? #f)))
`

await using bed = await TestBed.up({ name: 'graph' })
const machine = await bed.machine({ name: 'one' })
const lines = (await machine.repl(program)).split('\n').filter((line) => line.startsWith('GRAPH ')).map((line) => line.slice('GRAPH '.length))
await writeFile(fileURLToPath(new URL('guix-1.5.0-emacs.graph.gz', import.meta.url)), gzipSync(`${lines.join('\n')}\n`, { level: 9 }))
console.info(`${lines.length} derivations`)
