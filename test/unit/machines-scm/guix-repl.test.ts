import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSource } from '../../../plugins/machines-scm/src/source.js'
import { contextFor, failing, fixture, hostFor } from './host.js'

let folder = ''
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'machines-scm-')) })
afterAll(() => rm(folder, { recursive: true }))

/** A program in the place of guix. */
async function program(name: string, body: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return path
}

test('without Guix the error names the unknown thing and its place', async () => {
  expect(await failing('err-unbound.scm', hostFor([], { guix: false }))).toMatchObject({
    code: 'machine-file-unknown', report: { subject: `${fixture('err-unbound.scm')}:1:27`, problem: 'Unbound variable: my-name', cure: 'Guile may know it, but there is no guix here to ask' },
  })
})

test('a Guix that does not answer is given up, with the built-in error', async () => {
  const slow = await program('slow', 'exec sleep 60')
  const started = performance.now()
  const error = await failing('err-unbound.scm', hostFor([], { guix: slow, guixTimeout: 1 }))
  expect(performance.now() - started).toBeLessThan(10_000)
  expect(error.report).toMatchObject({ problem: 'Unbound variable: my-name', cure: `${slow} repl was not done after 1 s` })
})

test('a Guix that ends at once is reported with its last words', async () => {
  const broken = await program('broken', 'echo "guix: no such thing" >&2; exit 3')
  expect((await failing('err-unbound.scm', hostFor([], { guix: broken }))).report.cure).toBe(`${broken} repl ended with status 3: guix: no such thing`)
  expect((await failing('err-unbound.scm', hostFor([], { guix: join(folder, 'nowhere') }))).report.cure).toBe('Guile may know it, but there is no guix here to ask')
})

test('what the answer says becomes machines; what else is printed goes to the log', async () => {
  const mark = 'mark=$(sed -n \'s/.*(define mark "\\([^"]*\\)").*/\\1/p\' | head -n 1)'
  const fields = '((name "far") (port 22) (systems ("x86_64-linux")) (system #f) (user "u") (private-key "/home/bob/.ssh/id_rsa") (host-key "k") (compression "none") (compression-level 3)'
    + ' (daemon-socket "/s") (overload-threshold 0.8) (parallel-builds 2) (speed 3/2) (features ()))'
  const good = await program('good', `${mark}\necho hello\nprintf '%s%s\\n' "$mark" '(machines (machine ${fields} ("/x.scm" 3 6)) (other "never"))'`)
  const logged: string[] = []
  const result = await createSource(hostFor(logged, { guix: good })).list(contextFor(fixture('err-unbound.scm')))
  expect(result).toMatchObject({
    engine: 'guix repl',
    machines: [{ name: 'far', speed: 1.5, parallelBuilds: 2, compression: 'none', daemonSocket: '/s', location: { file: '/x.scm', line: 3, column: 6 } }],
    warnings: [{ code: 'host-key-undecodable' }, { code: 'not-a-build-machine', dropped: true }],
  })
  expect(result.machines[0]?.privateKey).toBeUndefined()
  expect(result.machines[0]?.compressionLevel).toBeUndefined()
  expect(logged).toEqual(['hello'])
})

test('an error that Guile locates keeps its place', async () => {
  const mark = 'mark=$(sed -n \'s/.*(define mark "\\([^"]*\\)").*/\\1/p\' | head -n 1)'
  const failingGuix = await program('failing', `${mark}\nprintf '%s%s\\n' "$mark" '(failed "missing field initializers (user)" ("/x.scm" 7 2))'`)
  expect((await failing('err-unbound.scm', hostFor([], { guix: failingGuix }))).report).toMatchObject({ subject: '/x.scm:7:2', problem: 'missing field initializers (user)' })
})

test.each([[{ guix: 'guix' }], [{ guixTimeout: 0 }], [{ guiks: '/x' }]])('options that make no sense are refused: %j', async (options) => {
  expect(await failing('err-unbound.scm', hostFor([], options))).toMatchObject({ code: 'option-invalid' })
})

test('what is wrong for certain does not go to Guix', async () => {
  const never = await program('never', `touch ${join(folder, 'asked')}`)
  expect(await failing('err-missing-field.scm', hostFor([], { guix: never }))).toMatchObject({ code: 'machine-file-syntax' })
  expect(await failing('err-gexp.scm', hostFor([], { guix: never }))).toMatchObject({ code: 'machine-file-syntax' })
  const { existsSync } = await import('node:fs')
  expect(existsSync(join(folder, 'asked'))).toBe(false)
})
