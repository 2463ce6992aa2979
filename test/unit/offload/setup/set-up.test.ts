import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { setUp, type SetupNeeds } from '../../../../src/offload/setup/set-up.js'

const wrapperPath = '/usr/local/libexec/guix-offload/guix'
const launcherPath = '/usr/local/libexec/guix-offload/guix-daemon'
const dropInPath = '/etc/systemd/system/guix-daemon.service.d/guix-offload.conf'
const unitPath = '/usr/lib/systemd/system/guix-daemon.service'
const unit = '[Unit]\nDescription=x\n[Service]\nExecStart=/usr/bin/guix-daemon \\\n    --discover=no\nEnvironment=LC_ALL=C.UTF-8\n'

let root: string
let ran: string[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'set-up-'))
  ran = []
  await put('/usr/bin/guix', '#!/bin/sh\n', 0o755)
  await mkdir(join(root, '/usr/local'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
  await chmod(join(root, path), mode)
}

const text = (path: string) => readFile(join(root, path), 'utf8')

/** Every path below the root with its content and time of change. */
async function snapshot(): Promise<Record<string, string>> {
  const paths = await readdir(root, { recursive: true })
  const entries = await Promise.all(paths.map(async (path) => {
    const found = await lstat(join(root, path))
    return [path, found.isFile() ? `${found.mode} ${found.mtimeMs} ${found.ino} ${await readFile(join(root, path), 'utf8')}` : String(found.mode)] as const
  }))
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function needs(changes: Partial<SetupNeeds> = {}): SetupNeeds {
  return {
    root,
    node: '/usr/bin/node',
    program: '/opt/guix offload/bin/run.js',
    searchPath: '/usr/bin:/bin',
    run: (command) => {
      ran.push(command.join(' '))
      return Promise.resolve(undefined)
    },
    machineFiles: () => Promise.resolve({ configuration: [], privateKeys: [] }),
    ...changes,
  }
}

const bytecodePath = '/opt/guix offload/dist/scheme/toolkit.cjs.v20-x64-1-1.bytecode'
const bytecode = { path: bytecodePath, make: () => Promise.resolve(Buffer.from([1, 0xff])) }

const now = { dryRun: false, undo: false }
const undo = { dryRun: false, undo: true }

describe('set-up without systemd', () => {
  it('writes the wrapper and the launcher, and says what to put in the environment', async () => {
    const report = await setUp(needs(), now)
    expect(report.changes.map(({ action, subject }) => [action, subject])).toEqual([['write', wrapperPath], ['write', launcherPath]])
    expect(report.instructions.join('\n')).toContain(`GUIX=${wrapperPath}`)
    expect(report.instructions.join('\n')).toContain(`env GUIX=${wrapperPath} ${launcherPath} `)
    expect((await stat(join(root, wrapperPath))).mode & 0o777).toBe(0o755)
    expect(ran).toEqual([])
  })

  it('shows the field of the operating system on Guix System', async () => {
    await put('/run/current-system/profile/bin/guix', '', 0o755)
    const report = await setUp(needs(), now)
    expect(report.instructions.join('\n')).toMatch(/guix-configuration[^]*\(environment \(cons "GUIX=\/usr\/local\/libexec\/guix-offload\/guix"/)
    expect(await text(wrapperPath)).toContain('exec /run/current-system/profile/bin/guix "$@"')
    expect(report.changes.map(({ subject }) => subject)).toEqual([wrapperPath])
  })

  it('lets every user reach the wrapper, whatever the umask', async () => {
    const umask = process.umask(0o077)
    try {
      await setUp(needs(), now)
    } finally {
      process.umask(umask)
    }
    for (const path of ['/usr/local/libexec', '/usr/local/libexec/guix-offload', wrapperPath]) {
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o755)
    }
  })

  it('changes nothing the second time', async () => {
    await setUp(needs(), now)
    const before = await snapshot()
    const report = await setUp(needs(), now)
    expect(report.changes.map(({ action }) => action)).toEqual(['keep', 'keep'])
    expect(await snapshot()).toEqual(before)
  })

  it('follows a node or a package that has moved', async () => {
    await setUp(needs(), now)
    const report = await setUp(needs({ node: '/opt/node/bin/node' }), now)
    expect(report.changes.map(({ action }) => action)).toEqual(['write', 'keep'])
    expect(await text(wrapperPath)).toContain('exec /opt/node/bin/node')
    await setUp(needs(), undo)
    expect(await readdir(join(root, '/usr/local'))).toEqual([])
  })

  it('leaves nothing after undo', async () => {
    const before = await snapshot()
    await setUp(needs(), now)
    expect(await snapshot()).not.toEqual(before)
    await setUp(needs(), undo)
    expect(await snapshot()).toEqual(before)
  })

  it('keeps folders that were there before, and those that others use since', async () => {
    await mkdir(join(root, '/usr/local/libexec'))
    await setUp(needs(), now)
    await put('/usr/local/libexec/guix-offload/note', 'mine')
    await setUp(needs(), undo)
    expect(await readdir(join(root, '/usr/local/libexec/guix-offload'))).toEqual(['note'])
  })

  it('does nothing when there is nothing to undo', async () => {
    const report = await setUp(needs(), undo)
    expect(report.changes).toEqual([])
  })

  it.each([now, undo])('never touches a file of others: %j', async (options) => {
    await put(wrapperPath, '#!/bin/sh\necho mine\n', 0o755)
    const before = await snapshot()
    await expect(setUp(needs(), options)).rejects.toMatchObject({ code: 'foreign-file', fault: 'configuration' })
    expect(await snapshot()).toEqual(before)
  })

  it('does not write through a link that somebody put in the place', async () => {
    await put('/victim', 'precious', 0o644)
    await mkdir(dirname(join(root, wrapperPath)), { recursive: true })
    await symlink(join(root, '/victim'), join(root, wrapperPath))
    await expect(setUp(needs(), now)).rejects.toMatchObject({ code: 'foreign-file' })
    expect(await text('/victim')).toBe('precious')
  })

  it('does not take the wrapper for guix', async () => {
    await rm(join(root, '/usr/bin/guix'))
    await put('/opt/bin/guix', '#!/bin/sh\n', 0o755)
    await mkdir(join(root, '/usr/local/bin'))
    await setUp(needs({ searchPath: '/opt/bin' }), now)
    await symlink('../libexec/guix-offload/guix', join(root, '/usr/local/bin/guix'))
    await setUp(needs({ searchPath: '/usr/local/bin:/opt/bin' }), now)
    expect(await text(wrapperPath)).toContain('exec /opt/bin/guix "$@"')
    await rm(join(root, '/opt/bin/guix'))
    await expect(setUp(needs({ searchPath: '/usr/local/bin:/opt/bin' }), now)).rejects.toMatchObject({ code: 'guix-not-found' })
  })

  it('says that node in the store may be collected, unless a profile has it', async () => {
    const node = '/gnu/store/abc-node/bin/node'
    await put(node, '', 0o755)
    expect((await setUp(needs({ node }), now)).warnings.join()).toMatch(/garbage-collected/)
    await mkdir(join(root, '/run/current-system/profile/bin'), { recursive: true })
    await symlink(join(root, node), join(root, '/run/current-system/profile/bin/node'))
    expect((await setUp(needs({ node }), now)).warnings).toEqual([])
    expect(await text(wrapperPath)).toContain('exec /run/current-system/profile/bin/node ')
  })
})

describe('set-up with systemd', () => {
  beforeEach(async () => {
    await put(unitPath, unit)
    await mkdir(join(root, '/run/systemd/system'), { recursive: true })
  })

  it('writes wrapper and drop-in, reloads systemd and leaves the restart to the reader', async () => {
    const report = await setUp(needs(), now)
    expect(report.changes.map(({ action, subject }) => [action, subject])).toEqual([
      ['write', wrapperPath], ['write', dropInPath], ['run', 'systemctl daemon-reload'],
    ])
    expect(await text(dropInPath)).toMatch(/^\[Service\]\nEnvironment=GUIX=\/usr\/local\/libexec\/guix-offload\/guix\n$/m)
    expect(ran).toEqual(['systemctl daemon-reload'])
    expect(report.instructions.join()).toContain('systemctl restart guix-daemon')
  })

  it('says nothing and reloads nothing the second time', async () => {
    await setUp(needs(), now)
    const report = await setUp(needs(), now)
    expect(report.changes.map(({ action }) => action)).toEqual(['keep', 'keep'])
    expect(report.instructions).toEqual([])
    expect(ran).toHaveLength(1)
  })

  it('does not call systemctl where systemd does not run', async () => {
    await rm(join(root, '/run/systemd'), { recursive: true })
    await setUp(needs(), now)
    expect(ran).toEqual([])
  })

  it('reports a failing reload as a warning', async () => {
    const report = await setUp(needs({ run: () => Promise.resolve('no bus') }), now)
    expect(report.warnings).toEqual(['systemctl daemon-reload failed: no bus'])
  })

  it('touches nothing in a dry run and shows what would be written', async () => {
    const before = await snapshot()
    const report = await setUp(needs(), { dryRun: true, undo: false })
    expect(await snapshot()).toEqual(before)
    expect(report.changes.map(({ content }) => content ?? '').join()).toContain('Environment=GUIX=')
    expect(ran).toEqual([])
    await setUp(needs(), now)
    const after = await snapshot()
    const removal = await setUp(needs(), { dryRun: true, undo: true })
    expect(removal.changes.map(({ action }) => action)).toEqual(['remove', 'remove', 'run'])
    expect(await snapshot()).toEqual(after)
  })

  it('leaves nothing after undo, and reloads', async () => {
    const before = await snapshot()
    await setUp(needs(), now)
    await setUp(needs(), undo)
    expect(await snapshot()).toEqual(before)
    expect(ran).toEqual(['systemctl daemon-reload', 'systemctl daemon-reload'])
  })

  it('writes neither file when the second place is taken', async () => {
    await put(dropInPath, '[Service]\nEnvironment=GUIX=/x\n')
    await expect(setUp(needs(), now)).rejects.toMatchObject({ code: 'foreign-file' })
    expect(await readdir(join(root, '/usr/local'))).toEqual([])
  })

  it('uses the guix beside the daemon rather than another one', async () => {
    await put(unitPath, unit.replace('/usr/bin/guix-daemon', '/opt/guix/bin/guix-daemon'))
    await put('/opt/guix/bin/guix', '', 0o755)
    await setUp(needs(), now)
    expect(await text(wrapperPath)).toContain('exec /opt/guix/bin/guix "$@"')
  })

  it.each([
    ['zz-local.conf', /zz-local.conf sets GUIX to \/else\/guix and wins over/],
    ['10-local.conf', /10-local.conf sets GUIX to \/else\/guix, which .* now takes the place of/],
  ])('warns of another drop-in that sets GUIX: %s', async (name, warning) => {
    await put(`/etc/systemd/system/guix-daemon.service.d/${name}`, '[Service]\nEnvironment=A=b "GUIX=/else/guix"\n')
    const report = await setUp(needs(), now)
    expect(report.warnings).toHaveLength(1)
    expect(report.warnings[0]).toMatch(warning)
  })

  describe('and what the unit starts', () => {
    const pulled = '/var/guix/profiles/per-user/root/current-guix/bin/guix-daemon'
    /** What `wrap` in guix/self.scm yields. */
    const pulledScript = `#!/gnu/store/abc-guile-3.0.9/bin/guile --no-auto-compile
!#
(begin (setenv "GUIX" "/gnu/store/def-guix-command") (unless (getenv "GUIX_STATE_DIRECTORY") (setenv "GUIX_STATE_DIRECTORY" "/var/guix"))\
 (apply execl "/gnu/store/ghi-guix-daemon-1.4.0/bin/guix-daemon" "guix-daemon" (cdr (command-line))))`
    const starting = (program: string) => unit.replace('/usr/bin/guix-daemon', program)
    const warnings = async () => (await setUp(needs(), now)).warnings

    const started = async () => [...(await text(dropInPath)).matchAll(/^ExecStart=(.*)$/gm)].map(([, value]) => value)

    it('is what guix pull replaces: the launcher starts it, with the same options, and undo takes that away', async () => {
      await put(unitPath, starting(`-${pulled}`))
      const report = await setUp(needs(), now)
      expect(report.changes.map(({ subject }) => subject)).toEqual([wrapperPath, launcherPath, dropInPath, 'systemctl daemon-reload'])
      expect(report.warnings).toEqual([])
      expect(await started()).toEqual(['', expect.stringMatching(new RegExp(`^-${launcherPath} ${pulled} +--discover=no$`))])
      const before = await snapshot()
      expect((await setUp(needs(), now)).changes.map(({ action }) => action)).toEqual(['keep', 'keep', 'keep'])
      expect(await snapshot()).toEqual(before)
      await setUp(needs(), undo)
      expect(await readdir(join(root, '/usr/local'))).toEqual([])
    })

    it('is the script of guix pull in another place', async () => {
      await put(unitPath, starting('/opt/bin/guix-daemon'))
      await put('/opt/bin/guix-daemon', pulledScript, 0o755)
      expect(await warnings()).toEqual([])
      expect(await started()).toHaveLength(2)
    })

    it.each([
      ['another drop-in that wins over ours', unit, `[Service]\nExecStart=\nExecStart=${pulled} --discover=no\n`, 'zz-local.conf'],
      ['a name of its own', starting(`@${pulled} daemon`), '', 'none.conf'],
    ])('sets GUIX itself where the launcher is of no use, by %s: says so, and how to have a program that does not', async (_case, main, other, name) => {
      await put(unitPath, main)
      await put(`/etc/systemd/system/guix-daemon.service.d/${name}`, other)
      await put('/gnu/store/jkl-guix/bin/guix-daemon', pulledScript, 0o755)
      await mkdir(dirname(join(root, pulled)), { recursive: true })
      await symlink(join(root, '/gnu/store/jkl-guix/bin/guix-daemon'), join(root, pulled))
      expect(await warnings()).toEqual([
        expect.stringMatching(/^\/var\/guix\/.*\/guix-daemon, which .* starts, is a script that sets GUIX.*the hook is not used.*guix install --profile=\/var\/guix\/profiles\/guix-daemon guix/),
      ])
      await put('/usr/bin/guix-daemon', '\x7fELF', 0o755)
      expect(await warnings()).toEqual([expect.stringMatching(/Start the program itself: \/usr\/bin\/guix-daemon \(systemctl edit guix-daemon: /)])
      expect(await started()).toEqual([])
    })

    it.each([
      ['the program itself', '\x7fELF (setenv "GUIX" GUIX=', 0],
      ['a shell script that sets it', '#!/bin/sh\nexport GUIX=/else/guix\nexec guix-daemon "$@"\n', 1],
      ['a shell script that keeps what is set', '#!/bin/sh\nexport GUIX="${GUIX:-/else/guix}"\nexec guix-daemon "$@"\n', 0],
      ['a Guile script that keeps what is set', '#!/bin/guile\n!#\n(unless (getenv "GUIX") (setenv "GUIX" "/else/guix"))\n', 0],
      ['a script that sets something else', '#!/bin/sh\nexport GUIX_LOCPATH=/x MY_GUIX=/y\n', 0],
    ])('is %s', async (_case, content, expected) => {
      await put(unitPath, starting('/opt/bin/guix-daemon'))
      await put('/opt/bin/guix-daemon', content, 0o755)
      expect(await warnings()).toHaveLength(expected)
    })

    it('is not there: nothing is known of it', async () => {
      await put(unitPath, starting('/opt/bin/guix-daemon'))
      expect(await warnings()).toEqual([])
    })
  })

  describe('where the daemon has a user of its own', () => {
    beforeEach(async () => {
      await put(unitPath, `${unit}User=guix-daemon\n`)
      await put('/etc/passwd', 'root:x:0:0::/root:/bin/sh\nguix-daemon:x:4242:4242::/var/empty:/bin/false\n')
      await put('/etc/group', 'keys:x:4343:guix-daemon\n')
      await chmod(root, 0o755)
    })

    it('names what that user cannot read, and why', async () => {
      await put('/root/app/bin/run.js', '')
      await chmod(join(root, '/root'), 0o700)
      await put('/etc/guix/machines.scm', '()', 0o600)
      await put('/root/.ssh/id', '', 0o600)
      const files = { configuration: ['/etc/guix/machines.scm'], privateKeys: [{ machine: 'b:22', path: '/root/.ssh/id' }, { machine: 'c:22', path: undefined }] }
      const { warnings } = await setUp(needs({ program: '/root/app/bin/run.js', machineFiles: () => Promise.resolve(files) }), now)
      expect(warnings).toEqual([
        expect.stringMatching(/guix-daemon, who cannot read \/root\/app\/bin\/run.js \(\/root is closed to that user\)/),
        expect.stringMatching(/cannot read \/etc\/guix\/machines.scm\. /),
        expect.stringMatching(/cannot read \/root\/.ssh\/id \(\/root is closed to that user\).*a key of its own/),
        expect.stringMatching(/c:22 has no private key.*none in \/var\/empty\/.ssh/),
      ])
    })

    it('has nothing to say where all can be read, by group as well', async () => {
      await put('/opt/run.js', '')
      await put('/etc/guix/key', '', 0o640)
      const { warnings } = await setUp(needs({
        program: '/opt/run.js',
        machineFiles: () => Promise.resolve({ configuration: ['/etc/guix/machines.scm'], privateKeys: [{ machine: 'b:22', path: '/opt/run.js' }] }),
      }), now)
      expect(warnings).toEqual([])
    })

    it('goes on when the machines cannot be listed', async () => {
      const { warnings, changes } = await setUp(needs({ machineFiles: () => Promise.resolve({ configuration: [], privateKeys: [], problem: 'no such file' }) }), now)
      expect(warnings).toEqual(['the machines could not be listed, so their keys were not looked at: no such file'])
      expect(changes).toHaveLength(3)
    })
  })
})

describe('what set-up compiles ahead', () => {
  beforeEach(() => put('/opt/guix offload/dist/scheme/toolkit.cjs', ''))
  const folder = () => readdir(join(root, dirname(bytecodePath)))

  it('is written once, readable by guix-daemon\'s user, and removed by undo', async () => {
    await setUp(needs({ bytecode }), now)
    expect(await readFile(join(root, bytecodePath))).toEqual(Buffer.from([1, 0xff]))
    expect((await stat(join(root, bytecodePath))).mode & 0o777).toBe(0o644)
    const then = await snapshot()
    const again = await setUp(needs({ bytecode: { ...bytecode, make: () => Promise.reject(new Error('made twice')) } }), now)
    expect(again.changes.at(-1)).toEqual({ action: 'keep', subject: bytecodePath })
    expect(await snapshot()).toEqual(then)
    const { changes } = await setUp(needs({ bytecode }), undo)
    expect(changes).toContainEqual({ action: 'remove', subject: bytecodePath })
    expect(await folder()).toEqual(['toolkit.cjs'])
  })

  it('takes the place of what an earlier node left, without a word about the daemon', async () => {
    await setUp(needs({ bytecode }), now)
    const path = bytecodePath.replace('v20', 'v22')
    const report = await setUp(needs({ bytecode: { ...bytecode, path } }), now)
    expect(report.changes.filter(({ action }) => action !== 'keep')).toEqual([{ action: 'write', subject: path }])
    expect(await folder()).toEqual(['toolkit.cjs', 'toolkit.cjs.v22-x64-1-1.bytecode'])
    expect(report.instructions).toEqual((await setUp(needs({ bytecode: { ...bytecode, path } }), now)).instructions)
  })

  it('is not made in a dry run, and only costs a warning where it cannot be written', async () => {
    await setUp(needs({ bytecode }), { dryRun: true, undo: false })
    expect(await folder()).toEqual(['toolkit.cjs'])
    const blocked = { ...bytecode, path: '/opt/guix offload/dist/scheme/toolkit.cjs/no-folder.bytecode' }
    const { warnings } = await setUp(needs({ bytecode: blocked }), now)
    expect(warnings).toEqual([expect.stringMatching(/^machine files are read some milliseconds slower than need be: /)])
  })
})
