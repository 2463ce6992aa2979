/** What a machine's store holds and what its daemon has recorded of it, for comparing machines with each other. */
import { expect } from 'vitest'
import type { Machine } from '../testbed/machine.js'
import { quote } from '../testbed/shell.js'

/** As the daemon registered it. */
export interface ItemFacts {
  readonly path: string
  /** SHA-256 of the NAR, in hexadecimal. */
  readonly hash: string
  readonly narSize: number
  /** Sorted. */
  readonly references: readonly string[]
  readonly deriver: string
}

const factsProgram = (paths: readonly string[]) => `(use-modules (guix store) (guix base16) (json))
(with-store store
  (display (scm->json-string
    (list->vector
      (map (lambda (path)
             (let ((info (query-path-info store path)))
               \`((path . ,path)
                 (hash . ,(bytevector->base16-string (path-info-hash info)))
                 (narSize . ,(path-info-nar-size info))
                 (references . ,(list->vector (sort (path-info-references info) string<?)))
                 (deriver . ,(or (path-info-deriver info) "")))))
           (list ${paths.map((path) => `"${path}"`).join(' ')}))))))
`

/** Fails if one of them is not valid there. */
export const factsOf = async (machine: Machine, paths: readonly string[]) => JSON.parse(await machine.repl(factsProgram(paths))) as ItemFacts[]

/** Name, type, mode, time, size and target of all that is in an item; the bytes of names and targets as Latin-1. */
export const listingOf = async (machine: Machine, path: string): Promise<string[]> => {
  const format = String.raw`%P\t%y\t%m\t%T@\t%l\t`
  const find = `find ${quote(path)} \\( -type f -printf '${format}%s\\0' \\) -o -printf '${format}\\0'`
  const text = Buffer.from(await machine.sh(`${find} | base64 -w 0`), 'base64').toString('latin1')
  return text.split('\0').slice(0, -1).sort()
}

/** The complaints of `guix gc --verify=contents`, which hashes every item of the store anew; empty if there are none. */
export const contentsComplaints = async (machine: Machine) => {
  const { exitCode, stdout, stderr } = await machine.guixCommand(['gc', '--verify=contents'], { reject: false })
  const progress = /^(reading the store|checking (path existence|hashes|contents)|finding garbage)/
  const complaints = `${String(stdout)}\n${String(stderr)}`.split('\n').filter((line) => line !== '' && !progress.test(line))
  return exitCode === 0 ? complaints : [...complaints, `exit status ${exitCode}`]
}

/** No temporary item, journal, lock or process of an offload is left on a master; of a failed build guix-daemon itself leaves the lock, built here or elsewhere. */
export const expectNothingLeft = async (master: Machine) => {
  expect(await master.sh('find /gnu/store -mindepth 1 -maxdepth 1 \\( -name "guix-offload-*" -o -name "*.lock" -o -name "*.chroot" \\); find /var/guix/offload/arriving -type f')).toBe('')
  expect((await master.processes()).filter(({ command }) => command.some((word) => word.endsWith('/bin/run.js')))).toEqual([])
}
