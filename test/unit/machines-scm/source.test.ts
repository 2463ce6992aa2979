import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Factory, MachineSource, Registrar } from '../../../src/plugin-api/index.js'
import contribute from '../../../plugins/machines-scm/src/contribute.js'
import { createSource } from '../../../plugins/machines-scm/src/source.js'
import { contextFor, fixture, hostFor } from './host.js'

let folder = ''
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'machines-scm-')) })
afterAll(() => rm(folder, { recursive: true }))

const systemError = (code: string): Error => Object.assign(new Error(code), { code })

test('the hook registers the source and makes it on first use', async () => {
  const found = new Map<string, Factory<MachineSource>>()
  const registrar: Registrar = { apiVersion: '1.0.0', transport: () => undefined, schedulingStrategy: () => undefined, machineSource: (name, factory) => { found.set(name, factory) } }
  await contribute({ registrar })
  expect([...found.keys()]).toEqual(['machines-scm'])
  expect((await found.get('machines-scm')?.(hostFor()))?.name).toBe('machines-scm')
})

test('a named file is relative to the working directory, the usual one is in the configuration folder', async () => {
  const source = createSource(hostFor())
  expect((await source.list(contextFor(relative(process.cwd(), fixture('04-guix-system.scm'))))).machines).toHaveLength(3)
  await writeFile(join(folder, 'machines.scm'), '(list (build-machine (name "one") (systems \'()) (user "u") (host-key "k")))')
  expect((await source.list(contextFor(undefined, folder))).machines).toMatchObject([{ name: 'one', location: { file: join(folder, 'machines.scm'), line: 1, column: 6 } }])
})

test('an unreadable file: the error says for whom', async () => {
  const host = { ...hostFor(), readTrustedFile: () => Promise.reject(systemError('EACCES')) }
  await expect(createSource(host).list(contextFor(undefined, folder))).rejects.toMatchObject({
    code: 'machine-file-unreadable', report: { subject: join(folder, 'machines.scm'), problem: `uid ${process.getuid?.()} may not read it` },
  })
})

test('files that a machine file loads must be trusted as well; what it only reads need not', async () => {
  const asked: string[] = []
  const plain = hostFor()
  const refused = plain.errors.configuration({ code: 'untrusted-file', step: 'reading', problem: 'everybody may write to it' })
  const host = {
    ...plain,
    readTrustedFile: (path: string) => {
      asked.push(path)
      return path.endsWith('bad.scm') ? Promise.reject(refused) : plain.readTrustedFile(path)
    },
  }
  const main = join(folder, 'main.scm')
  const key = join(folder, 'key.pub')
  await writeFile(key, 'ssh-ed25519 AAAA\n')
  await writeFile(join(folder, 'more.scm'), '(define more (list (build-machine (name "more") (systems \'()) (user "u") (host-key key))))')
  await writeFile(main, `(define key (call-with-input-file "${key}" (@ (ice-9 rdelim) read-line)))\n(load "more.scm")\nmore`)
  expect((await createSource(host).list(contextFor(main))).machines).toMatchObject([{ name: 'more', hostKey: 'ssh-ed25519 AAAA' }])
  expect(asked).toEqual([main, join(folder, 'more.scm')])
  await writeFile(main, '(false-if-exception (load "bad.scm"))\n(list)')
  await expect(createSource(host).list(contextFor(main))).rejects.toBe(refused)
})

test('HOME is that of the passwd entry, not of the environment', async () => {
  const file = join(folder, 'home.scm')
  await writeFile(file, '(list (build-machine (name (getenv "HOME")) (systems \'()) (user "u") (host-key "k")))')
  expect((await createSource(hostFor()).list(contextFor(file))).machines).toMatchObject([{ name: '/home/bob' }])
})
