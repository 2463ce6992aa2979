import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Advertisement } from '../../../../src/offload/advertise/advertisement.js'
import { machineFacts, usualJobs } from '../../../../src/offload/advertise/machine-facts.js'
import { Responder } from '../../../../src/offload/advertise/responder.js'
import { installServiceFile, removeServiceFile, serviceFile, serviceXml } from '../../../../src/offload/advertise/service-file.js'

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvxkhLcEkLgGbVRz5EaTVOBFSeBGKFKEAiMzGzKmUYi'
const said: Advertisement = { port: 22, systems: ['x86_64-linux'], emulated: [], jobs: 2, speed: 1, features: ['kvm'], hostKey }

let root = ''
beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'advertise-')) })
afterEach(() => rm(root, { recursive: true }))
const put = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}
const facts = (architecture = 'x86_64') => machineFacts({ root, architecture, cores: 8, memoryBytes: 2 ** 34 })

describe('what a machine is', () => {
  it('native and emulated systems are told apart, and what does not work in build environments is left out', async () => {
    await put('proc/sys/fs/binfmt_misc/qemu-aarch64', 'enabled\ninterpreter /usr/bin/qemu\nflags: OCF\noffset 0\n')
    await put('proc/sys/fs/binfmt_misc/qemu-i386', 'enabled\nflags: F\n')
    await put('proc/sys/fs/binfmt_misc/qemu-riscv64', 'enabled\nflags: OC\n')
    await put('proc/sys/fs/binfmt_misc/qemu-ppc64le', 'disabled\nflags: F\n')
    await put('proc/sys/fs/binfmt_misc/python3', 'enabled\nflags: F\n')
    await put('dev/kvm', '')
    await put('etc/ssh/ssh_host_ed25519_key.pub', `${hostKey} root@beta\n`)
    expect(await facts()).toEqual({
      systems: ['x86_64-linux', 'i686-linux'], emulated: ['aarch64-linux'], cores: 8, memoryBytes: 2 ** 34, features: ['kvm'], hostKey,
      remarks: ['riscv64-linux is emulated, but not within build environments: its entry in binfmt_misc lacks the flag F'],
    })
  })

  it('a certificate goes along; without a host key that fits, and on an unknown machine, it says so', async () => {
    await put('etc/ssh/ssh_host_ed25519_key.pub', `${hostKey}\n`)
    await put('etc/ssh/ssh_host_ed25519_key-cert.pub', 'ssh-ed25519-cert-v01@openssh.com QUJD beta\n')
    expect(await facts()).toMatchObject({ hostKey, certificate: 'QUJD', features: [], remarks: [] })
    await rm(join(root, 'etc'), { recursive: true })
    expect((await facts('vax')).remarks).toEqual([expect.stringContaining('--systems'), expect.stringContaining('nobody can pin')])
  })

  it.each([[1, 1, 1], [8, 16, 2], [8, 4, 1], [64, 64, 16], [128, 64, 16]])('with %i cores and %i GiB it builds %i at a time', (cores, gibibytes, jobs) => {
    expect(usualJobs(cores, gibibytes * 2 ** 30)).toBe(jobs)
  })
})

describe('the service file', () => {
  it('is XML, whatever is in it', () => {
    expect(serviceXml({ ...said, user: '<a href="x">&\'' })).toContain('<txt-record>user=&#60;a href=&#34;x&#34;&#62;&#38;&#39;</txt-record>')
  })

  it('is put in place as a whole, once, and taken away again', async () => {
    await expect(installServiceFile(root, 'x')).rejects.toMatchObject({ code: 'service-file-not-written', message: expect.stringContaining('Install Avahi') as string })
    const path = join(root, serviceFile)
    await mkdir(dirname(path), { recursive: true })
    expect(await removeServiceFile(root)).toBe(false)
    expect(await installServiceFile(root, serviceXml(said))).toBe(true)
    expect(await installServiceFile(root, serviceXml(said))).toBe(false)
    expect(await installServiceFile(root, serviceXml({ ...said, jobs: 3 }))).toBe(true)
    expect(await readFile(path, 'utf8')).toContain('jobs=3')
    expect((await stat(path)).mode & 0o777).toBe(0o644)
    expect(await readdir(dirname(path))).toEqual(['guix-offload.service'])
    expect(await removeServiceFile(root)).toBe(true)
    expect(await readdir(dirname(path))).toEqual([])
  })

  it('of somebody else stays', async () => {
    await put(serviceFile, '<service-group/>')
    await expect(installServiceFile(root, serviceXml(said))).rejects.toMatchObject({ code: 'service-file-foreign' })
    await expect(removeServiceFile(root)).rejects.toMatchObject({ code: 'service-file-foreign' })
  })
})

describe('announcing by itself', () => {
  const make = () => new Responder({ instance: 'beta', hostName: 'beta', type: '_guix-offload._tcp', port: 22, txt: ['txtvers=1'] })
  const type = '_guix-offload._tcp.local'

  it('answers for the service, its instance, its host and the list of services, and for nothing else', () => {
    const responder = make()
    const ask = (name: string, kind: string, legacy = false) => responder.answer([{ name, type: kind as 'PTR' }], ['10.0.0.2', 'fe80::1'], legacy)
    const kinds = (answer: ReturnType<typeof ask>) => answer === undefined ? undefined : [answer.answers.map((each) => each.type), answer.additionals.map((each) => each.type)]
    expect(kinds(ask(type.toUpperCase(), 'PTR'))).toEqual([['PTR'], ['SRV', 'TXT', 'A', 'AAAA']])
    expect(kinds(ask(`beta.${type}`, 'SRV'))).toEqual([['SRV'], ['TXT', 'A', 'AAAA']])
    expect(kinds(ask(`beta.${type}`, 'ANY'))).toEqual([['SRV', 'TXT'], ['A', 'AAAA']])
    expect(kinds(ask('beta.local', 'A'))).toEqual([['A', 'AAAA'], []])
    expect(kinds(ask('_services._dns-sd._udp.local', 'PTR'))).toEqual([['PTR'], []])
    for (const [name, kind] of [['gamma.local', 'A'], ['_ipp._tcp.local', 'PTR'], [type, 'A']] as const) expect(ask(name, kind)).toBeUndefined()
    for (const record of ask(type, 'PTR', true)?.answers ?? []) expect(record).toMatchObject({ ttl: 10, flush: false })
  })

  it('takes another name when somebody else has it, and not for what it has said itself', () => {
    const responder = make()
    const claim = (target: string, port = 22) => [{ name: `beta.${type}`, type: 'SRV', data: { target, port } }]
    expect([claim('beta.local'), claim('BETA.local'), [{ name: `gamma.${type}`, type: 'SRV', data: { target: 'x.local', port: 1 } }], [{ name: `beta.${type}`, type: 'SRV' }]].map((answers) => responder.conflictsWith(answers))).toEqual([false, false, false, false])
    expect([claim('other.local'), claim('beta.local', 2222)].map((answers) => responder.conflictsWith(answers))).toEqual([true, true])
    responder.rename()
    expect(responder.name).toBe(`beta #2.${type}`)
    expect(responder.conflictsWith(claim('other.local'))).toBe(false)
  })

  it('takes back with goodbye what is its own, not the addresses of its host, which others tell as well', () => {
    expect(make().records(['10.0.0.2'], 0).map((record) => [record.type, 'ttl' in record && record.ttl])).toEqual([['PTR', 0], ['SRV', 0], ['TXT', 0]])
  })
})
