/**
 * The packed package does the job: installed by npm into a folder of its own, started from `/` with nothing but a PATH in the environment, set up by its own
 * `setup`, with the oldest Node it is made for and with a newer one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { type InstalledPackage, installPackage, nodeVersion } from '../support/packed.js'
import { buildDerivation } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

const installed = '/opt/installed'
const wrapper = '/usr/local/libexec/guix-offload/guix'
const dropIn = '/etc/systemd/system/guix-daemon.service.d/guix-offload.conf'
const pulled = '/var/guix/profiles/per-user/root/current-guix/bin/guix-daemon'
const unit = '/usr/lib/systemd/system/guix-daemon.service'
const bytecode = /^(?:wrote|unchanged) \/opt\/installed\/lib\/node_modules\/guix-offload\/dist\/scheme\/toolkit-\w+\.cjs\.v[\w.-]+\.bytecode$/
const bare = ['env', '-i', 'PATH=/usr/bin:/bin']

let package_: InstalledPackage

beforeAll(async () => {
  package_ = await installPackage()
})
afterAll(() => package_[Symbol.asyncDispose]())

/** Runs the installed program as an administrator does, but with next to no environment. */
const run = (machine: Machine, args: readonly string[]) => machine.run([...bare, `${installed}/bin/guix-offload`, ...args], { reject: false, cwd: '/' })

/** Starts the daemon as its unit does, with that environment alone. */
async function startDaemon(machine: Machine, environment: readonly string[], program: readonly string[] = ['guix-daemon']) {
  await machine.daemon.stop()
  await machine.sh('rm -f /var/guix/daemon-socket/socket')
  const subprocess = machine.spawn([...bare, ...environment, ...program, '--no-substitutes', '--max-jobs=0'], { stdin: 'ignore' }, { user: 'guix-daemon', capabilities: '+chown' })
  subprocess.catch(() => undefined)
  await waitFor('guix-daemon to serve', async () => (await machine.readFile('/proc/net/unix')).includes('00010000 0001 01 '))
  return { end: () => machine.signal(subprocess, 'SIGTERM') }
}

/** Every file an administrator may come across, with what is in it and when it was written. */
const files = (machine: Machine) =>
  machine.sh('find /usr/local /etc /usr/lib/systemd /var/lib /home /root -xdev \\( -type f -o -type l -o -type d \\) -printf "%p %y %m %u %T@ %s\\n" | sort')

describe.each([
  ['the Node that runs the tests', async () => process.execPath],
  ['Node 24', () => nodeVersion('24.9.0')],
])('with %s', (_what, nodeProgram) => {
  let farm: Farm
  let before = ''

  beforeAll(async () => {
    const node = await nodeProgram()
    farm = await startFarm({
      name: 'packed',
      // Debian's own unit is there, systemd is not running. Stock's hook until the package is set up.
      master: {
        daemon: 'unprivileged', hook: '/usr/bin/guix',
        binds: [{ source: package_.prefix, target: installed, writable: true }, { source: node, target: '/usr/bin/node' }],
      },
      builders: [{ name: 'b1' }],
    })
    before = await files(farm.master)
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  /** Has one build done by b1, and says by which program. */
  const offloads = async (environment: readonly string[], program?: readonly string[]) => {
    const daemon = await startDaemon(farm.master, environment, program)
    const seen = farm.history()
    const commands = new Set<string>()
    const building = buildDerivation(farm.master, { name: 'packed', script: 'echo done > $out; sleep 1' }, {
      onLog: (text) => {
        if (text.includes('@ build-remote')) void farm.master.processes().then((rows) => rows.forEach(({ command }) => commands.add(command.join(' '))))
      },
    })
    const outcome = await building
    await daemon.end()
    expect(outcome).toMatchObject({ built: true, failure: undefined, log: expect.stringMatching(/^@ build-remote \S+ b1$/m) as string })
    expect(await farm.history()).toHaveLength((await seen).length + 1)
    expect((await farm.history()).at(-1)).toMatchObject({ machine: 'b1:22', outcome: 'built' })
    return [...commands].filter((command) => command.includes(' offload x86_64-linux') || command.includes(' offload aarch64-linux'))
  }

  it('shows its version and its commands', async () => {
    const version = await run(farm.master, ['--version'])
    expect(version).toMatchObject({ exitCode: 0, stderr: '' })
    expect(String(version.stdout)).toContain(`node-${(await farm.master.sh('/usr/bin/node --version')).trim()}`)
    expect(await run(farm.master, ['status'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('build slots: 1 of 1 free') as string })
  })

  it('sets up guix-daemon by its unit, says what is left to do, and offloads', async () => {
    const { stdout, stderr, exitCode } = await run(farm.master, ['setup'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(String(stdout).split('\n')).toEqual([`wrote ${wrapper}`, `wrote ${dropIn}`, expect.stringMatching(bytecode), 'Once no build is running, restart the daemon: systemctl restart guix-daemon'])
    const environment = /^Environment=(\S+)$/m.exec(await farm.master.readFile(dropIn))?.[1] ?? ''
    expect(environment).toBe(`GUIX=${wrapper}`)
    expect(await offloads([environment])).toEqual([expect.stringMatching(/^\/usr\/bin\/node \/opt\/installed\/lib\/node_modules\/guix-offload\/bin\/run\.js offload /)])
  })

  it('leaves everything but offload to guix', async () => {
    expect(await farm.master.sh(`${bare.join(' ')} ${wrapper} --version`)).toBe(await farm.master.sh('guix --version'))
  })

  it('changes nothing the second time', async () => {
    const then = await files(farm.master)
    const { stdout, exitCode } = await run(farm.master, ['setup'])
    expect({ exitCode, lines: String(stdout).split('\n') }).toEqual({ exitCode: 0, lines: [`unchanged ${wrapper}`, `unchanged ${dropIn}`, expect.stringMatching(bytecode) as string] })
    expect(await files(farm.master)).toBe(then)
  })

  it('leaves nothing after --undo', async () => {
    const { stdout, exitCode } = await run(farm.master, ['setup', '--undo'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('systemctl restart guix-daemon') as string })
    const paths = (listing: string) => listing.split('\n').map((line) => line.split(' ').slice(0, 4).join(' '))
    expect(paths(await files(farm.master))).toEqual(paths(before))
  })

  it('has its way with the guix-daemon of guix pull, which sets GUIX itself', async () => {
    // What `wrap` in guix/self.scm yields, with the programs that are here.
    const guile = (await farm.master.sh(`sed -n '1s/^#!\\([^ ]*\\).*/\\1/p' $(readlink -f $(command -v guix))`)).trim()
    await farm.master.writeFile(pulled, `#!${guile} --no-auto-compile\n!#\n(eval-when (expand load eval) (set! %load-path %load-path))\n(begin (setenv "GUIX" "/usr/bin/guix") (apply execl "/usr/bin/guix-daemon" "guix-daemon" (cdr (command-line))))\n`)
    await farm.master.sh(`chmod 755 ${pulled}; cp ${unit} /run/unit; sed -i 's|^ExecStart=[^ ]*|ExecStart=${pulled}|' ${unit}`)
    expect((await run(farm.master, ['setup'])).exitCode).toBe(0)
    const written = await farm.master.readFile(dropIn)
    const environment = /^Environment=(\S+)$/m.exec(written)?.[1] ?? ''
    const [launcher = '', program = ''] = /^ExecStart=(.+)$/m.exec(written)?.[1]?.split(' ') ?? []
    expect(program).toBe(pulled)
    expect(await offloads([environment], [launcher, program])).toHaveLength(1)
    expect(await offloads([environment], [launcher, '/usr/bin/guix-daemon'])).toHaveLength(1)
    await run(farm.master, ['setup', '--undo'])
    await farm.master.sh(`mv /run/unit ${unit}; rm -r /var/guix/profiles/per-user/root/current-guix`)
  })

  it('prints what to put where, if there is no unit, and that works as printed', async () => {
    await farm.master.sh(`rm ${unit}`)
    const { stdout, exitCode } = await run(farm.master, ['setup'])
    expect(exitCode).toBe(0)
    const environment = /^Start guix-daemon with this in its environment: (GUIX=\S+)$/m.exec(String(stdout))?.[1] ?? ''
    expect(await offloads([environment])).toHaveLength(1)
    expect((await run(farm.master, ['setup', '--undo'])).exitCode).toBe(0)
    expect(await farm.master.sh(`ls -d ${wrapper} /usr/local/libexec ${dropIn} 2>/dev/null || true`)).toBe(await farm.master.sh('ls -d /usr/local/libexec 2>/dev/null || true'))
  })

  it('gives way to guix\'s own offload when the package is gone', async () => {
    await run(farm.master, ['setup'])
    await farm.master.sh(`umount ${installed}`)
    const daemon = await startDaemon(farm.master, [`GUIX=${wrapper}`])
    const { built, log } = await buildDerivation(farm.master, { name: 'gone', script: 'echo done > $out' })
    await daemon.end()
    expect(log).toMatch(/guix-offload: \S+run\.js or \S+ cannot be used; guix's own offload takes over/)
    expect(built).toBe(true)
  })
})
