/** Machines that announce themselves, by real avahi-daemons on the bed's network, and a guix-daemon that offloads to those that are pinned. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import type { AvahiOptions } from '../testbed/avahi.js'
import { checkoutInMachine, nodeInMachine } from '../testbed/bed.js'
import { buildDerivation } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

interface Listed {
  readonly machines: readonly { readonly name: string; readonly address: string | null; readonly systems: readonly string[]; readonly hostKey: string; readonly heardSecondsAgo: number; readonly parallelBuilds: number; readonly source: string }[]
  readonly found: readonly { readonly name: string; readonly standing: string; readonly reason: string; readonly trust: string | null; readonly fingerprint: string | null; readonly address: string | null }[]
}

const program = [nodeInMachine, `${checkoutInMachine}/bin/run.js`] as const
const pins = '/etc/guix/offload-known-hosts'
const cache = '/var/guix/offload/dns-sd.json'

// The bed's machines share this computer's load.
const advertise = (machine: Machine, ...flags: string[]) => machine.run([...program, 'advertise', ...(flags.includes('--install') ? ['--threshold', 'none'] : []), ...flags])
const announceBy = async (machine: Machine, options: AvahiOptions = {}, ...flags: string[]) => {
  await advertise(machine, '--install', ...flags)
  await machine.startAvahi(options)
}
const listed = async (farm: Farm): Promise<Listed> => JSON.parse((await farm.run(['machines', '--json'])).stdout) as Listed
const names = (machines: readonly { readonly name: string }[]): string[] => machines.map(({ name }) => name).sort()
const configure = async (farm: Farm, options: Record<string, unknown> = {}) => {
  const privateKey = await farm.master.installUserKey()
  await farm.master.writeFile('/etc/guix/machines.scm', '(list)')
  await farm.master.writeFile('/etc/guix/offload.json', JSON.stringify({ sources: ['machines-scm', 'dns-sd'], plugins: { 'dns-sd': { privateKey, ...options } } }))
}
const pin = (farm: Farm, ...lines: string[]) => farm.master.writeFile(pins, `${lines.join('\n')}\n`)
const askedAt = async (farm: Farm): Promise<number> => (JSON.parse(await farm.master.readFile(cache)) as { askedAt: number }).askedAt

describe.each(['root', 'unprivileged'] as const)('with guix-daemon as %s', (mode) => {
  let farm: Farm
  let alpha: Machine

  beforeAll(async () => {
    farm = await startFarm({ name: 'dns-sd', master: { daemon: mode }, builders: [{ name: 'alpha' }] })
    alpha = farm.builder('alpha')
    await configure(farm)
    await announceBy(alpha, {}, '--jobs', '2')
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it('a machine that is found is not used, until root has pinned what the fingerprint shows', async () => {
    const fingerprint = (await alpha.sh('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub')).split(' ')[1] ?? ''
    const before = await listed(farm)
    expect(before.machines).toEqual([])
    expect(before.found).toMatchObject([{ name: 'alpha.local', standing: 'not-trusted', fingerprint, trust: 'guix-offload machines trust alpha.local' }])
    const status = await farm.run(['status'])
    expect(status.stdout).toContain(`alpha.local\n  found, not trusted: nothing vouches for its host key\n  host key, as it says: ${fingerprint}`)
    expect((await buildDerivation(farm.master, { name: 'nobody', script: 'echo > $out' })).failure?.message).toContain('unable to start any build')

    const root = { user: 'root' } as const
    const unconfirmed = await farm.run(['machines', 'trust', 'alpha.local'], root)
    expect([unconfirmed.exitCode, unconfirmed.stderr]).toEqual([1, expect.stringContaining(`--fingerprint ${fingerprint}`)])
    const wrong = await farm.run(['machines', 'trust', 'alpha.local', '--fingerprint', `SHA256:${'A'.repeat(43)}`], root)
    expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining('another host key than you expect')])
    expect(await farm.master.sh(`cat ${pins} 2>/dev/null || echo none`)).toBe('none')
    const right = await farm.run(['machines', 'trust', 'alpha.local', '--fingerprint', fingerprint], root)
    expect([right.exitCode, right.stderr]).toEqual([0, ''])
    expect(await farm.master.sh(`tail -n 1 ${pins}; stat -c %a ${pins}`)).toBe(`alpha.local ${alpha.hostKey}\n644`)
    // What root has looked at must not be in the way of the daemon's user.
    expect(await farm.master.sh('find /var/guix/offload ! -user "$(stat -c %U /gnu/store)"')).toBe('')
  })

  it('guix-daemon then offloads to it: the first hook asks and waits a moment, the next know, and ask anew while they work', async () => {
    await farm.master.sh(`rm -f ${cache}`)
    const first = await buildDerivation(farm.master, { name: 'first', script: 'echo > $out' })
    expect(first.failure).toBeUndefined()
    expect(first.log).toContain('@ build-remote')
    expect((await farm.history()).at(-1)).toMatchObject({ machine: 'alpha.local:22', outcome: 'built' })
    // As if it had been asked a minute ago.
    const since = await askedAt(farm)
    await farm.master.sh(`sed -i 's/"askedAt":[0-9]*/"askedAt":${since - 60_000}/' ${cache}`)
    const second = await buildDerivation(farm.master, { name: 'second', script: 'sleep 3; echo > $out' })
    expect(second.failure).toBeUndefined()
    expect((await farm.history()).at(-1)).toMatchObject({ machine: 'alpha.local:22', outcome: 'built' })
    expect(await askedAt(farm)).toBeGreaterThan(since)
    expect(await farm.master.sh('ls /var/guix/offload | grep -c dns-sd')).toBe('1')
    const { machines } = await listed(farm)
    expect(machines).toMatchObject([{ name: 'alpha.local', source: 'dns-sd', parallelBuilds: 2, hostKey: alpha.hostKey, address: alpha.address }])
    expect(machines[0]?.heardSecondsAgo).toBeLessThan(60)
  })
})

describe('on a network', () => {
  let farm: Farm
  let alpha: Machine
  let beta: Machine
  let gamma: Machine

  beforeAll(async () => {
    farm = await startFarm({ name: 'dns-sd-net', builders: [{ name: 'alpha' }, { name: 'beta' }, { name: 'gamma' }] })
    ;[alpha, beta, gamma] = [farm.builder('alpha'), farm.builder('beta'), farm.builder('gamma')]
    await configure(farm)
    await pin(farm, `alpha.local ${alpha.hostKey}`, `beta.local ${beta.hostKey}`, `gamma.local ${gamma.hostKey}`)
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it('machines appear, change and leave', async () => {
    expect((await listed(farm)).machines).toEqual([])
    await Promise.all([announceBy(alpha), announceBy(beta)])
    expect(names((await listed(farm)).machines)).toEqual(['alpha.local', 'beta.local'])
    await advertise(beta, '--install', '--jobs', '7', '--systems', 'x86_64-linux,armhf-linux')
    await waitFor('beta to have changed', async () => (await listed(farm)).machines.some(({ name, parallelBuilds, systems }) => name === 'beta.local' && parallelBuilds === 7 && systems.includes('armhf-linux')), 60_000)
    await advertise(beta, '--remove')
    await waitFor('beta to have left', async () => names((await listed(farm)).machines).join() === 'alpha.local', 60_000)
    await alpha.avahi.kill()
    expect((await listed(farm)).machines).toEqual([])
  })

  it.each([['ssh2'], ['openssh']])('a machine with IPv6 alone is reached at its link-local address by %s, with avahi-daemon on this host as well', async (transport) => {
    await farm.master.startAvahi()
    await announceBy(alpha, { ipv4: false })
    await farm.master.writeFile('/etc/guix/offload.json', JSON.stringify({ transport, sources: ['dns-sd'], plugins: { 'dns-sd': { privateKey: await farm.master.installUserKey() } } }))
    const { machines } = await listed(farm)
    expect(machines.map(({ address }) => address)).toEqual([expect.stringMatching(/^fe80::[0-9a-f:]+%eth0$/)])
    const tested = await farm.run(['test'])
    expect([tested.exitCode, tested.stdout]).toEqual([0, expect.stringMatching(/^alpha\.local:22\tok|alpha\.local:22: ok/)])
    await configure(farm)
    await farm.master.avahi.stop()
  })

  it('a machine with IPv4 alone is found where port 5353 is not shared', async () => {
    await farm.master.startAvahi({ otherStacks: false })
    await announceBy(alpha, { ipv6: false })
    expect((await listed(farm)).machines).toMatchObject([{ name: 'alpha.local', address: alpha.address }])
    await farm.master.avahi.stop()
  })

  it('of two that want one name, each is judged by the name it gets', async () => {
    await announceBy(alpha, { hostName: 'alpha' })
    await announceBy(beta, { hostName: 'alpha' })
    // The one that came later has had to take another name, under which nobody vouches for it.
    expect([await alpha.avahi.hostName(), await beta.avahi.hostName()]).toEqual(['alpha.local', 'alpha-2.local'])
    const { machines, found } = await listed(farm)
    expect(machines).toMatchObject([{ name: 'alpha.local', hostKey: alpha.hostKey }])
    expect(found).toMatchObject([{ name: 'alpha-2.local', standing: 'not-trusted' }])
    await beta.avahi.stop()
    await announceBy(alpha)
  })

  it('a machine that is written down is never overridden, whatever the order of the sources', async () => {
    const entry = `(build-machine (name "alpha") (systems '("x86_64-linux")) (user "root") (host-key "${alpha.hostKey}"))`
    await farm.master.writeFile('/etc/guix/machines.scm', `(list ${entry})`)
    await farm.master.writeFile('/etc/guix/offload.json', JSON.stringify({ sources: ['dns-sd', 'machines-scm'] }))
    const { machines, found } = await listed(farm)
    expect(machines).toMatchObject([{ name: 'alpha', source: 'machines-scm' }])
    expect(found).toMatchObject([{ name: 'alpha.local', standing: 'listed-already', reason: 'it is alpha:22, which machines-scm lists' }])
    await configure(farm)
  })

  it('a liar adds no machine, draws nothing, and holds nobody up', async () => {
    expect((await listed(farm)).machines).toMatchObject([{ name: 'alpha.local', address: alpha.address }])
    const liar = gamma.spawn([nodeInMachine, `${checkoutInMachine}/test/support/hostile-mdns.js`, gamma.address, 'alpha', alpha.hostKey], { reject: false, buffer: false })
    try {
      await new Promise<void>((resolve, reject) => {
        liar.stdout?.once('data', () => resolve())
        liar.once('exit', (code) => reject(new Error(`the liar ended with ${code}`)))
      })
      const begin = performance.now()
      const { machines, found } = await listed(farm)
      expect(performance.now() - begin).toBeLessThan(30_000)
      // Its name, and its key with another address, are claimed as well: the first heard counts.
      expect(machines).toMatchObject([{ name: 'alpha.local', hostKey: alpha.hostKey, address: alpha.address }])
      expect(found.length).toBeGreaterThan(3)
      expect(found.length).toBeLessThanOrEqual(40)
      for (const { name, standing } of found) expect([name, standing]).toEqual([expect.stringMatching(/^[a-z0-9_.-]+\.local$/), expect.stringMatching(/^(not-trusted|unusable|listed-already)$/)])
      const fingerprints = await farm.run(['status'])
      expect(fingerprints.stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u)
      expect(fingerprints.stderr.replaceAll('\n', '')).not.toMatch(/\p{C}/u)
      expect(names((await listed(farm)).machines)).toEqual(['alpha.local'])
    } finally {
      liar.kill('SIGKILL')
      await liar
    }
  })

  it('a certificate of a trusted authority vouches for a machine, without a pin of its own', async () => {
    await beta.sh('ssh-keygen -q -t ed25519 -N "" -C ca -f /root/ca; ssh-keygen -q -s /root/ca -I beta -h -n beta.local /etc/ssh/ssh_host_ed25519_key.pub')
    const authority = (await beta.readFile('/root/ca.pub')).split(' ').slice(0, 2).join(' ')
    await pin(farm, `@cert-authority *.local ${authority}`)
    // Too much for the 512 bytes that are answered to a port of one's own.
    await announceBy(beta)
    expect((await listed(farm)).machines).toMatchObject([{ name: 'beta.local', hostKey: beta.hostKey }])
    expect((await farm.run(['test'])).exitCode).toBe(0)
    await pin(farm, `@cert-authority *.example.org ${authority}`)
    expect((await listed(farm)).machines).toEqual([])
    await beta.avahi.stop()
  })

  it('a machine announces itself without Avahi until it is interrupted, and says goodbye', async () => {
    await pin(farm, `gamma.local ${gamma.hostKey}`)
    const announcing = gamma.spawn([...program, 'advertise', '--foreground'], { reject: false, buffer: false })
    const said = await new Promise<string>((resolve) => announcing.stdout?.once('data', (bytes) => resolve(String(bytes))))
    expect(said).toMatch(/^announced as gamma, host key SHA256:/)
    expect((await listed(farm)).machines).toMatchObject([{ name: 'gamma.local', address: gamma.address }])
    await gamma.signal(announcing, 'SIGTERM')
    expect((await announcing).exitCode).toBe(0)
    expect((await listed(farm)).machines).toEqual([])
  })

  it('a domain is asked by ordinary DNS', async () => {
    await configure(farm, { mdns: false, domains: ['example.org'] })
    await pin(farm, `[gamma]:2022 ${gamma.hostKey}`)
    const server = gamma.spawn([nodeInMachine, `${checkoutInMachine}/test/support/dns-server.js`, 'example.org', 'gamma', '2022', 'txtvers=1', 'systems=x86_64-linux', `hostkey=${gamma.hostKey}`], { reject: false, buffer: false })
    try {
      await new Promise<void>((resolve) => server.stdout?.once('data', () => resolve()))
      await farm.master.writeFile('/etc/resolv.conf', `nameserver ${gamma.address}\n`)
      expect((await listed(farm)).machines).toMatchObject([{ name: 'gamma', address: null, systems: ['x86_64-linux'], source: 'dns-sd' }])
    } finally {
      server.kill('SIGKILL')
      await server
    }
    const silent = await farm.run(['machines'])
    expect(silent.stderr).toContain('the name servers say nothing about example.org')
    await farm.master.writeFile('/etc/resolv.conf', '')
  })
})

