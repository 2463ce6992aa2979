/** `guix-offload test` and `status` against a machine for every way to fail, all in one machine file. */
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { checkoutInMachine, nodeInMachine } from '../testbed/bed.js'
import { buildDerivation } from '../testbed/derivations.js'
import { type MachineFields, writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

const restrictedPort = 2022
const silentPort = 2323
const webPort = 8080
const keys = '/etc/guix/offload'
const otherHostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ'

interface Problem {
  readonly code: string
  readonly message: string
  readonly cure: string | null
}

interface Tested {
  readonly name: string
  readonly port: number
  readonly ok: boolean
  readonly warnings: readonly string[]
  readonly steps: readonly { readonly step: string; readonly outcome: string; readonly detail: string | null; readonly seconds: number | null; readonly error: Problem | null }[]
}

interface Status {
  readonly name: string
  readonly kernel: string | null
  readonly architecture: string | null
  readonly hostName: string | null
  readonly normalizedLoad: number | null
  readonly freeBytes: number | null
  readonly timeDifferenceSeconds: number | null
  readonly freeSlots: number
  readonly takenSlots: number
  readonly error: Problem | null
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
/** What a machine's own steps took, if they have been counted. */
const secondsOf = ({ steps }: Tested): number => sum(steps.map(({ seconds }) => seconds ?? 0))

let farm: Farm

/** Names under which b1 is known besides its own, so that one host can be wrong in many ways. */
const aliases = ['refused', 'changed-host-key', 'bad-host-key', 'key-missing', 'key-unreadable', 'key-encrypted', 'login-refused', 'no-forwarding', 'wrong-socket', 'silent', 'web', 'behind']

beforeAll(async () => {
  farm = await startFarm({
    name: 'inspected',
    master: { daemon: 'unprivileged' },
    builders: [
      { name: 'b1', sshd: false },
      { name: 'b2' },
      { name: 'b3' },
      { name: 'b4' },
      { name: 'b5' },
    ],
  })
  const { bed, master } = farm
  const [b1, b2, b3, b4, b5] = ['b1', 'b2', 'b3', 'b4', 'b5'].map((name) => farm.builder(name)) as [typeof master, typeof master, typeof master, typeof master, typeof master]
  await b1.writeFile('/etc/ssh/restricted.conf', `Match LocalPort ${restrictedPort}\n  AllowStreamLocalForwarding no\n`)
  // So many failures from one address would make sshd turn us away.
  await b1.startSshd({ config: ['Include /etc/ssh/restricted.conf', `Port ${restrictedPort}`, 'PerSourcePenalties no', 'MaxStartups 100'] })
  // Its clock is 90 seconds late for whoever comes with the RSA key.
  const late = `command="faketime -f -90s sh -c \\"$SSH_ORIGINAL_COMMAND\\"" ${b1.userKeys.rsa.public}`
  await b1.writeFile('/root/.ssh/authorized_keys', b1.userKeys.ed25519.public + late, 0o600)
  b1.spawn(['socat', `TCP-LISTEN:${silentPort},fork,reuseaddr`, 'EXEC:sleep 60']).catch(() => undefined)
  b1.spawn(['socat', `TCP-LISTEN:${webPort},fork,reuseaddr`, 'SYSTEM:echo HTTP/1.1 400 Bad Request']).catch(() => undefined)
  await appendFile(join(bed.folder, 'hosts'), aliases.map((alias) => `${b1.address} ${alias}\n`).join('') + '10.99.0.200 hole\n')
  // Packets to an address that nobody has, sent all the same: a firewall that drops them.
  await master.sh('ip neigh add 10.99.0.200 lladdr 02:00:00:00:00:99 nud permanent dev eth0')

  await b2.daemon.kill()
  await b3.sh('mv /usr/bin/guix /usr/bin/guix.away')
  await b4.sh('rm /etc/guix/acl')
  await b5.sh('rm /etc/guix/signing-key.*; guix archive --generate-key')
  await bed.authorize(b1, b4)

  const privateKey = await master.installUserKey()
  await master.installUserKey({ type: 'rsa' })
  await master.writeFile('/root/.ssh/id_ed25519', master.userKeys.ed25519.secret, 0o600)
  await master.sh(`cp ${privateKey} ${keys}/encrypted; chmod 600 ${keys}/encrypted; ssh-keygen -q -p -N secret -f ${keys}/encrypted; chown -R guix-daemon ${keys}`)
  const entry = (name: string, fields: MachineFields = {}) => [b1, { name, ...fields }] as const
  await writeMachinesScm(master, [
    entry('b1', { parallelBuilds: 2, speed: 3 }),
    // Once more, for another system: the same machine.
    entry('b1', { systems: ['i686-linux'] }),
    entry('nowhere'),
    entry('refused', { port: 2222 }),
    entry('hole'),
    entry('silent', { port: silentPort }),
    entry('web', { port: webPort }),
    entry('changed-host-key', { hostKey: otherHostKey }),
    entry('bad-host-key', { hostKey: 'ssh-ed25519 AAAA' }),
    entry('key-missing', { privateKey: '/etc/guix/offload/nothing' }),
    entry('key-unreadable', { privateKey: '/root/.ssh/id_ed25519' }),
    entry('key-encrypted', { privateKey: `${keys}/encrypted` }),
    entry('login-refused', { user: 'alice' }),
    entry('no-forwarding', { port: restrictedPort }),
    entry('wrong-socket', { daemonSocket: '/var/guix/daemon-socket/nothing' }),
    entry('behind', { privateKey: `${keys}/id_rsa`, parallelBuilds: 10_000 }),
    [b2, {}],
    [b3, {}],
    [b4, {}],
    [b5, {}],
  ], { privateKey })
  await master.writeFile('/etc/guix/offload.yaml', 'timeouts: { connect: 2s, handshake: 8s }\n', 0o644, 'guix-daemon')
})
afterAll(() => farm[Symbol.asyncDispose]())

const json = async <T>(args: readonly string[]) => {
  const { stdout, stderr, exitCode } = await farm.run([...args, '--json'])
  return { value: JSON.parse(String(stdout)) as T, stderr: String(stderr), exitCode }
}

const namesInOrder = [
  'b1', 'nowhere', 'refused', 'hole', 'silent', 'web', 'changed-host-key', 'bad-host-key', 'key-missing', 'key-unreadable', 'key-encrypted', 'login-refused', 'no-forwarding',
  'wrong-socket', 'behind', 'b2', 'b3', 'b4', 'b5',
]

/** The step that fails, what passed before, the error's code, and what its message says. */
const expected: readonly (readonly [name: string, failed: string, passed: readonly string[], code: string, words: RegExp, cure: RegExp])[] = [
  ['nowhere', 'reach', [], 'name-not-found', /the name nowhere cannot be resolved \(seen (ENOTFOUND|EAI_AGAIN)/, /spelling/],
  ['refused', 'reach', [], 'connection-refused', /nothing listens on 10\.99\.0\.\d+:2222/, /Is the SSH server running/],
  ['hole', 'reach', [], 'connect-timeout', /no answer from 10\.99\.0\.200:22 within 2 s/, /firewall/],
  ['silent', 'reach', [], 'handshake-timeout', /no SSH server spoke within 8 s/, /overloaded or suspended/],
  ['web', 'reach', [], 'not-an-ssh-server', /seen "HTTP\/1\.1 400 Bad Request/, /Check the port/],
  ['changed-host-key', 'host-key', ['reach'], 'host-key-mismatch', /expected ssh-ed25519 SHA256:\S{43}, seen ssh-ed25519 SHA256:\S{43}\)/, /ssh-keygen -l -f/],
  ['bad-host-key', 'host-key', [], 'host-key-invalid', /machines\.scm:\d+:\d+: reading the host key/, /ssh_host_ed25519_key\.pub/],
  ['key-missing', 'login', [], 'private-key-missing', /\/etc\/guix\/offload\/nothing: reading the private key: there is no such file/, /Check the path/],
  ['key-unreadable', 'login', [], 'private-key-unreadable', /\/root\/\.ssh\/id_ed25519: .*open only to uid 0 \(root\); we run as uid \d+ \(guix-daemon\)/, /a key of its own/],
  ['key-encrypted', 'login', [], 'private-key-encrypted', /protected by a passphrase/, /ssh-keygen -p -f/],
  ['login-refused', 'login', ['reach', 'host-key'], 'authentication-refused', /does not accept our key for user alice \(seen tried \S+ \(ssh-ed25519 SHA256:\S+\)/, /authorized_keys/],
  ['wrong-socket', 'daemon', ['reach', 'host-key', 'login'], 'socket-unavailable', /\/var\/guix\/daemon-socket\/nothing: .*\(seen No such file or directory\)/, /Is guix-daemon running/],
  ['b2', 'daemon', ['reach', 'host-key', 'login'], 'socket-unavailable', /\/var\/guix\/daemon-socket\/socket: .*\(seen Connection refused\)/, /Is guix-daemon running/],
  ['b3', 'guix-version', ['reach', 'host-key', 'login', 'daemon'], 'guix-not-found', /`guix --version` failed.*guix: not found/, /Install Guix/],
  ['b4', 'import', ['reach', 'host-key', 'login', 'daemon', 'guix-version'], 'signing-key-not-authorized', /does not accept what we sign.*\(public-key/, /On b4, as root, run: guix archive --authorize/],
  ['b5', 'export', ['reach', 'host-key', 'login', 'daemon', 'guix-version', 'import'], 'unauthorized-key', /not authorised here/, /guix archive --authorize/],
]

describe('test', () => {
  let tested: readonly Tested[] = []
  let exitCode: number | undefined
  let seconds = 0

  beforeAll(async () => {
    const started = performance.now()
    const result = await json<readonly Tested[]>(['test'])
    seconds = (performance.now() - started) / 1000
    tested = result.value
    exitCode = result.exitCode
  })

  const of = (name: string) => tested.find((test) => test.name === name)
  const steps = (name: string, outcome: string) => of(name)?.steps.filter((step) => step.outcome === outcome).map(({ step }) => step)

  it('reports every machine once, in the order of the file, and fails', () => {
    expect(tested.map(({ name }) => name)).toEqual(namesInOrder)
    expect(exitCode).toBe(1)
  })

  it('asks all of them at the same time', () => {
    expect(seconds).toBeLessThan(sum(tested.map(secondsOf)))
  })

  it('finds the sound one sound, though seventeen are not', () => {
    expect(of('b1'), JSON.stringify(of('b1'))).toMatchObject({ ok: true, port: 22, warnings: [] })
    expect(of('b1')?.steps).toEqual([
      { step: 'reach', outcome: 'ok', detail: expect.stringMatching(/^round trip [\d.]+ ms$/) as string, seconds: expect.any(Number) as number, error: null },
      { step: 'host-key', outcome: 'ok', detail: expect.stringMatching(/^ssh-ed25519 SHA256:/) as string, seconds: null, error: null },
      { step: 'login', outcome: 'ok', detail: 'root', seconds: null, error: null },
      { step: 'daemon', outcome: 'ok', detail: '/var/guix/daemon-socket/socket by socket', seconds: expect.any(Number) as number, error: null },
      { step: 'guix-version', outcome: 'ok', detail: '1.5.0', seconds: expect.any(Number) as number, error: null },
      { step: 'import', outcome: 'ok', detail: expect.stringMatching(/^\/gnu\/store\/[a-z0-9]{32}-export-test$/) as string, seconds: expect.any(Number) as number, error: null },
      { step: 'export', outcome: 'ok', detail: expect.stringMatching(/^\/gnu\/store\/[a-z0-9]{32}-import-test$/) as string, seconds: expect.any(Number) as number, error: null },
    ])
  })

  it('has really sent one item there and had one made there', async () => {
    const [sent, made] = ['import', 'export'].map((name) => of('b1')?.steps.find(({ step }) => step === name)?.detail ?? '')
    expect(await farm.builder('b1').readFile(sent ?? '')).toMatch(/^master [0-9a-f]{32}/)
    expect(await farm.builder('b1').readFile(made ?? '')).toMatch(/^b1 [0-9a-f]{32}/)
    expect(await farm.master.sh(`ls -d ${made} 2>/dev/null || true`)).toBe('')
  })

  it.each(expected)('%s fails at %s', (name, failed, passed, code, words, cure) => {
    expect(of(name)?.ok).toBe(false)
    expect(steps(name, 'failed')).toEqual([failed])
    expect(steps(name, 'ok')).toEqual(passed)
    const error = of(name)?.steps.find(({ step }) => step === failed)?.error
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) as string, cure: expect.stringMatching(cure) as string })
    expect(error?.message).toMatch(new RegExp(`^${name}(:\\d+)?: `))
    expect(error?.message).not.toContain('\n')
  })

  it('warns of a late clock and of more builds than there is memory for', () => {
    expect(of('behind')?.warnings).toEqual([
      expect.stringMatching(/^its clock is (8\d|90|91) seconds behind ours/),
      expect.stringMatching(/^10000 builds at a time share [\d.]+ GiB of memory, \d+ MiB each/),
    ])
  })

  it('takes another way to a daemon where sockets are not forwarded, and says what that is', () => {
    expect(of('no-forwarding')).toMatchObject({ ok: true, warnings: [expect.stringMatching(/by bridge, which is slower: set AllowStreamLocalForwarding yes/) as string] })
    expect(of('no-forwarding')?.steps).toContainEqual(expect.objectContaining({ step: 'daemon', detail: '/var/guix/daemon-socket/socket by bridge' }))
  })

  it('prints one line for each, the failing step and its cure first', async () => {
    const { stdout, exitCode: status } = await farm.run(['test'])
    const lines = String(stdout).split('\n')
    expect(status).toBe(1)
    for (const [name, failed, , , words, cure] of expected) {
      const line = lines.find((text) => text.startsWith(`${name}:`))
      expect(line).toMatch(new RegExp(`^${name}:\\d+: failed at ${failed}: `))
      expect(line).toMatch(words)
      expect(line).toMatch(cure)
    }
    expect(lines.filter((line) => line.startsWith('b1:22: ok in '))).toHaveLength(1)
  })
})

describe('which machines', () => {
  it('exits with 0 when those asked for are sound', async () => {
    const { value, exitCode, stderr } = await json<readonly Tested[]>(['test', '/etc/guix/machines.scm', '^b1$'])
    expect({ names: value.map(({ name }) => name), exitCode }).toEqual({ names: ['b1'], exitCode: 0 })
    // What is wrong in the file is told whatever machines are asked for.
    expect(stderr).toMatch(/^guix-offload: warning: \/etc\/guix\/machines\.scm:\d+:\d+: machine 'bad-host-key': the host key does not decode: .*$/)
  })

  it('matches names only, anywhere in them', async () => {
    // `root` is in every entry as the user, and in no name.
    const none = await json<readonly Tested[]>(['status', '/etc/guix/machines.scm', 'root'])
    expect(none).toMatchObject({ value: [], exitCode: 0, stderr: expect.stringMatching(/^guix-offload: warning: there is no build machine whose name matches "root"$/m) as string })
    const some = await json<readonly Status[]>(['status', '/etc/guix/machines.scm', 'key-(miss|enc)'])
    expect(some.value.map(({ name }) => name)).toEqual(['key-missing', 'key-encrypted'])
  })

  it('takes another file', async () => {
    const other = '/etc/guix/others.scm'
    await farm.master.writeFile(other, `(list (build-machine (name "elsewhere") (systems '("x86_64-linux")) (user "root") (host-key "${otherHostKey}")))`, 0o644, 'guix-daemon')
    const { value, exitCode } = await json<readonly Tested[]>(['test', other])
    expect({ names: value.map(({ name }) => name), exitCode }).toEqual({ names: ['elsewhere'], exitCode: 1 })
  })

  it.each([['test'], ['status']])('%s: anything else is wrong usage', async (command) => {
    for (const args of [['a', 'b', 'c'], ['/etc/guix/machines.scm', '('], ['--unknown']]) {
      const { exitCode, stderr, stdout } = await farm.run([command, ...args])
      expect({ args, exitCode, stdout }).toEqual({ args, exitCode: 2, stdout: '' })
      expect(String(stderr)).not.toBe('')
    }
  })

  it.each([['test'], ['status']])('%s does not take its arguments from standard input', async (command) => {
    const { value } = await json<readonly { name: string }[]>([command, '/etc/guix/machines.scm', '^refused$'])
    expect(value).toHaveLength(1)
    const { stdout } = await farm.run([command, '/etc/guix/machines.scm', '--json'], { input: '^refused$\n' })
    expect((JSON.parse(String(stdout)) as unknown[]).length).toBe(namesInOrder.length)
  })
})

describe('status', () => {
  let statuses: readonly Status[] = []
  let stderr = ''
  let exitCode: number | undefined

  beforeAll(async () => {
    const result = await json<readonly Status[]>(['status'])
    statuses = result.value
    stderr = result.stderr
    exitCode = result.exitCode
  })

  const of = (name: string) => statuses.find((status) => status.name === name)

  it('reports every machine once, in the order of the file', () => {
    expect(statuses.map(({ name }) => name)).toEqual(namesInOrder)
    expect(exitCode).toBe(1)
  })

  it('knows the condition of each that lets us in, whatever its Guix is like', async () => {
    const uname = await farm.builder('b1').sh('uname -s; uname -r; uname -m')
    const [system, release, architecture] = uname.split('\n')
    for (const name of ['b1', 'b2', 'b3', 'b4', 'b5', 'wrong-socket', 'no-forwarding']) {
      expect(of(name)).toMatchObject({
        kernel: `${system} ${release}`, architecture, hostName: name.startsWith('b') ? name : 'b1', freeBytes: expect.any(Number) as number,
        timeDifferenceSeconds: 0, error: null, takenSlots: 0,
      })
      expect(of(name)?.normalizedLoad).toBeGreaterThanOrEqual(0)
      expect(of(name)?.normalizedLoad).toBeLessThanOrEqual(1)
    }
  })

  it('says why it knows nothing of the others, and what their slots are all the same', () => {
    for (const [name, failed, , code] of expected) {
      if (!['reach', 'host-key', 'login'].includes(failed)) continue
      expect(of(name)).toMatchObject({ error: { code }, kernel: null, normalizedLoad: null, freeBytes: null, freeSlots: 1, takenSlots: 0 })
    }
    expect(of('b1')).toMatchObject({ freeSlots: 2, takenSlots: 0 })
  })

  it('warns of the machine whose clock is behind, in stock\'s words', () => {
    expect(of('behind')?.timeDifferenceSeconds).toBeLessThanOrEqual(-80)
    expect(stderr).toMatch(/^guix-offload: warning: machine 'behind' is (8\d|90|91) seconds behind$/m)
  })

  it('prints the lines of guix offload status', async () => {
    const file = '/etc/guix/machines.scm'
    const stock = await farm.master.run(['guix', 'offload', 'status', file, '^b1$'], { user: 'guix-daemon' })
    const { stdout, exitCode: status } = await farm.run(['status', file, '^b1$'])
    const theirs = String(stock.stdout).split('\n')
    const ours = String(stdout).split('\n')
    expect(status).toBe(0)
    expect(theirs.map((line) => line.split(':')[0])).toEqual(['b1', '  kernel', '  architecture', '  host name', '  normalized load', '  free disk space', '  time difference'])
    expect(ours.slice(0, theirs.length).map((line) => line.split(':')[0])).toEqual(theirs.map((line) => line.split(':')[0]))
    const steady = (lines: readonly string[]) => lines.slice(0, 7).filter((line) => !/load|free|difference/.test(line))
    expect(steady(ours)).toEqual(steady(theirs))
    // What moves has the same form.
    const shape = (lines: readonly string[], words: string) => lines.find((line) => line.includes(words))?.replace(/\d+/g, '0')
    for (const words of ['normalized load', 'free disk space', 'time difference']) expect(shape(ours, words)).toBe(shape(theirs, words))
    expect(ours.slice(7)).toEqual([expect.stringMatching(/^ {2}connection: OpenSSH\S.*round trip [\d.]+ ms, daemon by socket$/), '  build slots: 2 of 2 free'])
  })

  it('counts the slot of a build that runs', async () => {
    const building = buildDerivation(farm.master, { name: 'slow', script: 'sleep 6; echo done > $out' })
    building.catch(() => undefined)
    const slot = '/var/guix/offload/b1:22/0'
    const taken = () => farm.master.sh(`[ ! -e ${slot} ] || grep -c ":$(stat -c %i ${slot}) 0 " /proc/locks || true`)
    await waitFor('the build to have its slot', async () => (await taken()) === '1', 20_000)
    const { value } = await json<readonly Status[]>(['status', '/etc/guix/machines.scm', '^b1$'])
    expect(value).toMatchObject([{ name: 'b1', freeSlots: 1, takenSlots: 1 }])
    expect(await building).toMatchObject({ built: true })
    expect((await json<readonly Status[]>(['status', '/etc/guix/machines.scm', '^b1$'])).value).toMatchObject([{ freeSlots: 2, takenSlots: 0 }])
  })
})

it('an ordinary user may test too: the local daemon signs what the user has no key for', async () => {
  const [b1, b4] = [farm.builder('b1'), farm.builder('b4')]
  const home = '/home/alice'
  await b1.installUserKey({ path: `${home}/.ssh/id_ed25519`, owner: 'alice' })
  await b1.writeFile(`${home}/machines.scm`, `(list (build-machine (name "b4") (systems '("x86_64-linux")) (user "root") (host-key "${b4.hostKey}")))`, 0o644, 'alice')
  const asAlice = { user: 'alice', reject: false } as const
  expect((await b1.run(['cat', '/etc/guix/signing-key.sec'], asAlice)).exitCode).not.toBe(0)
  const { stdout, exitCode } = await b1.run([nodeInMachine, `${checkoutInMachine}/bin/run.js`, 'test', `${home}/machines.scm`, '--json'], asAlice)
  expect({ exitCode, tested: JSON.parse(String(stdout)) as unknown }).toMatchObject({ exitCode: 0, tested: [{ name: 'b4', ok: true }] })
})

it('gives each machine its own time: one whose daemon hangs is told from one that is sound', async () => {
  const b4 = farm.builder('b4')
  await b4.daemon.pause()
  try {
    const { value, exitCode } = await json<readonly Tested[]>(['test', '/etc/guix/machines.scm', '^b[14]$'])
    expect(exitCode).toBe(1)
    expect(value).toMatchObject([
      { name: 'b1', ok: true },
      { name: 'b4', ok: false, steps: [{ outcome: 'ok' }, { outcome: 'ok' }, { outcome: 'ok' }, { step: 'daemon', outcome: 'failed', error: { code: 'daemon-silent' } }, {}, {}, {}] },
    ])
    const [sound = NaN, hanging = NaN] = value.map(secondsOf)
    expect(sound).toBeLessThan(hanging)
  } finally {
    await b4.daemon.resume()
  }
})

it('leaves no process behind on either side', async () => {
  const left = [...(await farm.master.processes()), ...(await farm.builder('b4').processes())].map(({ command }) => command.join(' '))
  expect(left.filter((command) => /run\.js|guix --version|sshd-session|exec sh/.test(command))).toEqual([])
})
