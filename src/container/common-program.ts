/** A machine file such as people write: what it calls is worth compiling ahead. */
import type { SchemeProgram, SchemeWorld } from '../plugin-api/index.js'

const text = `(use-modules (ice-9 match) (srfi srfi-1) (srfi srfi-26))
(define user (or (getenv "OFFLOAD_USER") "guix"))
(define* (machine name #:key (systems '("x86_64-linux")) (speed 1.0) (port 22))
  (let ((key (string-append "ssh-ed25519 " "AAAA")))
    (build-machine (name name) (systems systems) (user user) (port port) (host-key key) (speed speed) (parallel-builds 2))))
(define from-table
  (match-lambda
    ((name system (features ...)) (build-machine (inherit (machine name)) (systems (list system)) (features features)))))
(append (list (machine "a") (if (string=? user "guix") (machine "b" #:speed 2) (machine "c")))
        (map from-table (remove (match-lambda (("gone" . _) #t) (_ #f)) '(("d" "x86_64-linux" ("kvm")) ("gone" "i686-linux" ()))))
        (filter-map (cut and <> (machine "e")) '(#f)))
`

export const commonProgram: SchemeProgram = {
  text,
  file: '/machines.scm',
  imports: ['(guix scripts offload)'],
  modules: [{
    name: '(guix scripts offload)',
    records: [{
      name: 'build-machine',
      predicate: 'build-machine?',
      fields: [
        { name: 'name', accessor: 'build-machine-name' }, { name: 'systems' }, { name: 'user' }, { name: 'port', default: 22n }, { name: 'host-key' }, { name: 'speed', default: 1 },
        { name: 'parallel-builds', default: 1n }, { name: 'features', default: [] },
      ],
    }],
  }],
}

export const emptyWorld: SchemeWorld = {
  environment: {},
  hostName: 'localhost',
  account: { name: 'root', uid: 0, gid: 0, home: '/root' },
  readFile: () => Promise.reject(new Error('there are no files')),
  fileExists: () => false,
  print: () => undefined,
}
