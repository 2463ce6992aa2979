/**
 * What people see when something on the master is set up wrong: one line that says what, where and how to mend it, from the commands and, through guix-daemon, from the hook.
 * Each test breaks one thing and mends it again; the build at the end goes through.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { buildDerivation } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

const machines = '/etc/guix/machines.scm'
const settings = '/etc/guix/offload.yaml'

let farm: Farm
let builds = 0

beforeAll(async () => {
  farm = await startFarm({ name: 'misconfigured', master: { daemon: 'unprivileged' }, builders: [{ name: 'b1' }] })
})
beforeEach(() => farm.forgetFailures())
afterAll(() => farm[Symbol.asyncDispose]())

interface Mishap {
  readonly what: string
  /** Shell, as root on the master. */
  readonly breaks: string
  readonly mends: string
  /** What the error says, after its prefix and to the end of its line. */
  readonly says: RegExp
  /** Default: all three. */
  readonly commands?: readonly ('machines' | 'status' | 'test')[]
}

const replace = (path: string, content: string) => ({
  breaks: `[ ! -e ${path} ] || cp -a ${path} /root/kept; cat > ${path} <<'END'\n${content}\nEND\nchown guix-daemon ${path}; chmod 644 ${path}`,
  mends: `rm ${path}; [ ! -e /root/kept ] || mv /root/kept ${path}`,
})
const move = (path: string) => ({ breaks: `mv ${path} /etc/guix/away`, mends: `mv /etc/guix/away ${path}` })
const own = (path: string, owner: string, mode: string, before: string) => ({
  breaks: `chown ${owner} ${path}; chmod ${mode} ${path}`,
  mends: `chown guix-daemon ${path}; chmod ${before} ${path}`,
})

/** Known before any machine is asked: every command fails, and so does the hook before it has answered. */
const atOnce: readonly Mishap[] = [
  { what: 'a machine file we may not read', ...own(machines, 'root', '600', '644'), says: /^\/etc\/guix\/machines\.scm: .*no permission for user id \d+\. Let that user read it and enter its folders: chmod a\+r \/etc\/guix\/machines\.scm$/ },
  { what: 'a machine file that anybody may write', ...own(machines, 'root', '666', '644'), says: /everybody may write to it \(expected writable by its owner alone, seen mode 0666\)\. chmod go-w \/etc\/guix\/machines\.scm$/ },
  { what: 'a machine file of somebody else', ...own(machines, 'alice', '644', '644'), says: /belongs to somebody else.*\(expected root or user id \d+, seen user id \d+\)\. As root: chown root \/etc\/guix\/machines\.scm$/ },
  { what: 'a folder that anybody may write', ...own('/etc/guix', 'guix-daemon', '777', '755'), says: /^\/etc\/guix: .*everybody may write to it.*chmod go-w \/etc\/guix$/ },
  { what: 'an open bracket', ...replace(machines, '(list (build-machine'), says: /^\/etc\/guix\/machines\.scm:\d+:\d+: reading the machine file: end of file; the bracket opened at line 1, column 6 is never closed$/ },
  { what: 'a misspelt name', ...replace(machines, '(list (bild-machine (name "b1")))'), says: /^\/etc\/guix\/machines\.scm:1:7: .*bild-machine: unbound variable/ },
  { what: 'a missing field', ...replace(machines, '(list (build-machine (name "b1")))'), says: /^\/etc\/guix\/machines\.scm:1:6: .*missing field initializers \(.*host-key.*\)$/ },
  { what: 'an unknown key', ...replace(settings, 'transprt: ssh2'), says: /^\/etc\/guix\/offload\.yaml:1:1: transprt: .*unknown key `transprt`, did you mean `transport`\? \(expected one of transport, / },
  { what: 'a value of the wrong kind', ...replace(settings, 'timeouts: { connect: soon }'), says: /^\/etc\/guix\/offload\.yaml:1:13: timeouts\.connect: .*\(expected a time from 1ms to 24h, such as 500ms, 10s or 2m/ },
  { what: 'a configuration that is no YAML', ...replace(settings, 'machines: [\nb1'), says: /^\/etc\/guix\/offload\.yaml:\d+:\d+: reading the configuration: / },
  {
    what: 'a configuration that anybody may write',
    breaks: `echo 'transport: ssh2' > ${settings}; chmod 666 ${settings}`, mends: `rm ${settings}`,
    says: /everybody may write to it.*chmod go-w \/etc\/guix\/offload\.yaml$/,
  },
  { what: 'an unknown machine source', ...replace(settings, 'sources: [machines-smc]'), says: /choosing the machine source: .*'machines-smc', which no plugin brings\. Did you mean 'machines-scm'\?/ },
  { what: 'an unknown transport', ...replace(settings, 'transport: shs2'), says: /choosing the transport: .*'shs2', which no plugin brings\. Did you mean 'ssh2'\?/, commands: ['status', 'test'] },
  { what: 'an unknown scheduler', ...replace(settings, 'scheduler: gux'), says: /choosing the scheduling strategy: .*'gux', which no plugin brings\. Did you mean 'guix'\?/, commands: ['test'] },
]

/** Known once a machine has been chosen: `test` files it under the machine's step, the hook under its attempt. */
const later: readonly (Omit<Mishap, 'commands'> & { readonly step: 'import' | 'export'; readonly code: string })[] = [
  { what: 'no secret key', step: 'import', code: 'signing-key-missing', ...move('/etc/guix/signing-key.sec'), says: /\/etc\/guix\/signing-key\.sec: reading the signing key: this machine has no complete key pair\. Make one with `guix archive --generate-key`/ },
  { what: 'no public key', step: 'import', code: 'signing-key-missing', ...move('/etc/guix/signing-key.pub'), says: /\/etc\/guix\/signing-key\.pub: .*no complete key pair\. Make one/ },
  { what: 'a secret key that everybody may read', step: 'import', code: 'signing-key-exposed', ...own('/etc/guix/signing-key.sec', 'guix-daemon', '444', '400'), says: /\(expected mode 0400, seen mode 0444\)\. chmod 400 \/etc\/guix\/signing-key\.sec/ },
  { what: 'a secret key that is none', step: 'import', code: 'malformed-key', breaks: 'cd /etc/guix; cp -a signing-key.sec away; chmod 600 signing-key.sec; echo "(private-key" > signing-key.sec', mends: 'mv /etc/guix/away /etc/guix/signing-key.sec', says: /\/etc\/guix\/signing-key\.sec:\d+:\d+: reading the signing key: / },
  { what: 'an access-control list that is none', step: 'export', code: 'malformed-acl', ...replace('/etc/guix/acl', '(acl (entry'), says: /\/etc\/guix\/acl:\d+:\d+: reading the access-control list: .*Mend the file, or move it away/ },
  { what: 'an access-control list we may not read', step: 'export', code: 'acl-unreadable', ...own('/etc/guix/acl', 'root', '600', '644'), says: /\/etc\/guix\/acl: .*no permission\. It holds public keys only: chmod 644 \/etc\/guix\/acl/ },
  { what: 'no access-control list', step: 'export', code: 'unauthorized-key', ...move('/etc/guix/acl'), says: /the key it is signed with is not authorised here .*\| guix archive --authorize/ },
]

/** Needs something that has to be sent first. */
const build = async (onLog: (text: string) => void = () => undefined) => {
  builds += 1
  await farm.master.writeFile('/tmp/input', `input ${builds}`)
  return buildDerivation(farm.master, { name: `item-${builds}`, script: 'cat $input > $out', sources: { input: '/tmp/input' } }, { onLog })
}

const errorLine = (text: string, prefix: string) => text.split('\n').find((line) => line.startsWith(prefix))?.slice(prefix.length)

async function broken<T>({ breaks, mends }: Pick<Mishap, 'breaks' | 'mends'>, work: () => Promise<T>): Promise<T> {
  await farm.master.sh(breaks)
  try {
    return await work()
  } finally {
    await farm.master.sh(mends)
  }
}

describe('what is wrong before any machine is asked', () => {
  it.each(atOnce)('$what', async ({ says, commands = ['machines', 'status', 'test'], ...mishap }) => {
    await broken(mishap, async () => {
      for (const command of commands) {
        const { stdout, stderr, exitCode } = await farm.run([command])
        expect({ command, exitCode, stdout }).toEqual({ command, exitCode: 1, stdout: '' })
        expect(String(stderr).split('\n')).toHaveLength(1)
        expect(errorLine(String(stderr), 'guix-offload: error: ')).toMatch(says)
      }
      const { stdout, exitCode } = await farm.run(['test', '--json'])
      const { error } = JSON.parse(String(stdout)) as { error: { fault: string; message: string } }
      expect({ exitCode, fault: error.fault }).toEqual({ exitCode: 1, fault: 'configuration' })
      expect(error.message).toMatch(says)

      const { failure, built, log } = await build()
      // guix-daemon's words for a hook that ended without an answer.
      expect({ built, failure }).toEqual({ built: false, failure: { message: 'unexpected EOF reading a line', status: 1 } })
      expect(errorLine(log, 'guix offload: error: ')).toMatch(says)
    })
  })

  it('no machine file: nothing is offloaded, and the daemon says what it makes of that', async () => {
    await broken(move(machines), async () => {
      for (const command of ['machines', 'status', 'test']) {
        const { stdout, stderr, exitCode } = await farm.run([command])
        expect({ stdout, stderr, exitCode }).toEqual({ stdout: '', stderr: 'guix-offload: warning: there are no build machines', exitCode: 0 })
      }
      const named = await farm.run(['test', machines])
      expect(named).toMatchObject({ exitCode: 1, stdout: '', stderr: `guix-offload: error: ${machines}: reading the machine file: there is no such file` })
      expect((await build()).failure?.message).toMatch(/^unable to start any build/)
    })
  })

  it('an entry of the list that is wrong is left out and told; the others are used', async () => {
    const appended = `(cons (build-machine (name "odd") (systems '("x86_64-linux")) (user "root") (host-key "ssh-ed25519 AAAA") (parallel-builds 0)) ${await farm.master.readFile(machines)})`
    await broken(replace(machines, appended), async () => {
      const { stdout, stderr, exitCode } = await farm.run(['test'])
      expect(String(stderr)).toMatch(/^guix-offload: warning: \/etc\/guix\/machines\.scm:1:\d+: machine 'odd' left out: parallel-builds must be a positive integer, but is 0$/m)
      expect(String(stdout)).toMatch(/^b1:22: ok/)
      expect(exitCode).toBe(1)
      expect(await build()).toMatchObject({ built: true, log: expect.stringContaining('machine \'odd\' left out') as string })
    })
  })

  it('GUIX_OFFLOAD_CONFIG names no file', async () => {
    const { stderr, exitCode } = await farm.run(['machines'], { env: { GUIX_OFFLOAD_CONFIG: '/etc/guix/nothing.yaml' } })
    expect({ stderr, exitCode }).toEqual({
      stderr: 'guix-offload: error: /etc/guix/nothing.yaml: reading the configuration: there is no such file. Correct or unset GUIX_OFFLOAD_CONFIG', exitCode: 1,
    })
  })
})

describe('what is wrong once a machine has been chosen', () => {
  it.each(later)('$what', async ({ says, step, code, ...mishap }) => {
    await broken(mishap, async () => {
      const { stdout, exitCode } = await farm.run(['test'])
      const line = errorLine(String(stdout), `b1:22: failed at ${step}: `)
      expect(exitCode).toBe(1)
      expect(line).toMatch(says)

      const { failure, built, log } = await build()
      expect(built).toBe(false)
      // Transient: nobody caches it as a failed build.
      expect(failure).toMatchObject({ status: 1 })
      expect(log).toMatch(/^derivation '\S+' offloaded to 'b1' failed: /m)
      expect(log.split('\n').filter((text) => says.test(text))).toHaveLength(1)
      expect((await farm.history()).at(-1)).toMatchObject({ outcome: 'machine-failed', status: 1, error: { code } })
      if (code === 'malformed-acl' || code === 'acl-unreadable') expect(log).not.toContain('@ build-remote')
    })
  })
})

it('a state folder that is not ours: test warns, a build waits and says why, and goes on once that is mended', async () => {
  await broken({ breaks: 'chown -R root /var/guix/offload', mends: 'chown -R guix-daemon /var/guix/offload' }, async () => {
    const { stdout, exitCode } = await farm.run(['test', '--json'])
    expect({ exitCode, report: JSON.parse(String(stdout)) as unknown }).toMatchObject({
      exitCode: 0, report: [{ name: 'b1', ok: true, warnings: ['no build slot can be taken: /var/guix/offload/b1:22/0 is not writable for the user we run as'] }],
    })
    let log = ''
    const building = build((text) => (log += text))
    building.catch(() => undefined)
    await waitFor('the warning', () => /^guix offload: warning: machine 'b1:22': \/var\/guix\/offload\/b1:22\/0: taking a build slot: EACCES.*\/var\/guix\/offload and all in it must be writable for the user that guix-daemon runs as$/m.test(log), 15_000).catch((error: unknown) => {
      throw new Error(`${String(error)}; the log says: ${log}`)
    })
    await farm.master.sh('chown -R guix-daemon /var/guix/offload')
    expect(await building).toMatchObject({ built: true, failure: undefined })
  })
})

it('nothing is wrong in the end', async () => {
  expect(await farm.run(['test'])).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/^b1:22: ok/) as string })
  expect(await build()).toMatchObject({ built: true })
  expect(await farm.master.sh('ls -A /gnu/store | grep guix-offload- || true')).toBe('')
})
