/** A build machine whose guix-daemon lies when its outputs are fetched: what it sends is refused, and nothing of it stays. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Signer } from '../../src/trust/signer.js'
import { error, helloBack, int, join, last, next, str, write } from '../support/daemon-script.js'
import { type Farm, startFarm } from '../support/farm.js'
import { signatureOf, signedMember, signerOf, strangerSigner, withSignature } from '../support/hostile-members.js'
import { type ExportAsked, LyingDaemon } from '../support/lying-daemon.js'
import { directory, encodeTree, file, link, type Tree } from '../support/tree.js'
import { wire } from '../support/wire-builder.js'
import { buildDerivation, type DerivationSpec, instantiate } from '../testbed/derivations.js'
import { currentSystem } from '../testbed/derivation-scheme.js'

const strangeSystem = currentSystem.startsWith('x86_64') ? 'i686-linux' : 'armhf-linux'
const canary = 'guix-offload-canary'

let farm: Farm
let liar: LyingDaemon
let own: Signer
let built = 0

beforeAll(async () => {
  farm = await startFarm({
    name: 'hostile',
    // Small, so that a stream without end comes to one.
    master: { storeSize: '48m' },
    builders: [
      // Only the liar builds for the other system: most tests need a build that has nowhere else to go.
      { name: 'liar', fields: { daemonSocket: LyingDaemon.socket, speed: 2, systems: [currentSystem, strangeSystem] } },
      { name: 'honest', sshd: { config: ['AuthorizedKeysFile none', 'AuthorizedKeysCommand /usr/local/sbin/slow-keys', 'AuthorizedKeysCommandUser root'] }, fields: { speed: 1 } },
    ],
  })
  // The honest machine answers late enough for the liar to be chosen first, always.
  await farm.builder('honest').writeFile('/usr/local/sbin/slow-keys', '#!/bin/sh\nsleep 0.7\ncat /root/.ssh/authorized_keys\n', 0o755)
  await farm.master.writeFile('/etc/guix/offload.yaml', 'timeouts: { stall: 2s, handshake: 5s }\n', 0o644, farm.master.daemonUser)
  liar = await LyingDaemon.start(farm.builder('liar'))
  // What every build needs is in the store from here on.
  await instantiate(farm.master, [spec(currentSystem)])
  own = await signerOf(farm.builder('liar'))
})
beforeEach(() => farm.forgetFailures())
afterAll(async () => {
  await liar[Symbol.asyncDispose]()
  await farm[Symbol.asyncDispose]()
})
beforeEach(() => {
  liar.lies = {}
  liar.failures.length = 0
})

const spec = (system: string, more: Partial<DerivationSpec> = {}): DerivationSpec =>
  ({ name: `item-${++built}`, system, script: 'mkdir $out; echo honest > $out/file', uniqueness: `${process.pid}-${built}`, ...more })

/** Everything in the master's store but what a client puts there, and the locks that its daemon leaves behind after a failure. */
const storeNames = async () => (await farm.master.sh('ls -A /gnu/store /gnu/store/.links | sort')).split('\n').filter((name) => !/-item-\d+(-z)?\.(lock|drv)$/.test(name))

/** What must not be there, whatever a machine sends. */
const outsideOfStore = () => farm.master.sh(`find / -xdev -name '*${canary}*' -not -path '/proc/*' 2>/dev/null; find /tmp /gnu /etc /root -name '*${canary}*' 2>/dev/null; true`)

/** By the kernel's table of locks, which has the inode number of each file last. */
const slotTaken = async (name: string) =>
  (await farm.master.sh(`inode=$(stat -c %i '/var/guix/offload/${name}:22/0'); grep -c ":$inode 0 " /proc/locks || true`)) !== '0'

interface Refused {
  readonly drv: string
  readonly output: string
  readonly log: string
  readonly code: string
  readonly message: string
}

/** Has something built by the liar alone, and sees to it that nothing came of it. */
async function refused(lie: (asked: ExportAsked) => Promise<void>, more: Partial<DerivationSpec> = {}): Promise<Refused> {
  const wanted = spec(strangeSystem, more)
  const before = await storeNames()
  liar.lies = { export: lie }
  const { drv, outputs, log, failure, built: valid } = await buildDerivation(farm.master, wanted)
  const output = Object.values(outputs)[0] ?? ''
  const entry = (await farm.history()).at(-1) as { derivation: string; outcome: string; error?: { code: string; message: string } } | undefined
  expect({ failed: failure !== undefined, valid }).toEqual({ failed: true, valid: false })
  expect(entry).toMatchObject({ derivation: drv, outcome: 'machine-failed' })
  expect(await storeNames()).toEqual(before)
  expect(await outsideOfStore()).toBe('')
  expect(await farm.master.sh('ls -A /var/guix/offload/arriving')).toBe('')
  expect(liar.failures).toEqual([])
  expect(liar.open).toBe(0)
  const { code = '', message = '' } = entry?.error ?? {}
  // What the user of `guix build` reads is the same.
  expect(log).toContain(`derivation '${drv}' offloaded to 'liar' failed: ${message}`)
  return { drv, output, log, code, message }
}

/** Sends a tree as the output, signed by the machine's own key. */
const sends = (tree: Tree) => async (asked: ExportAsked) => asked.answer(await signedMember({ archive: encodeTree(tree), path: asked.path }, own))
const sendsArchive = (archive: Uint8Array) => async (asked: ExportAsked) => asked.answer(await signedMember({ archive, path: asked.path }, own))

const open = () => wire().strs('nix-archive-1', '(', 'type')

const lies: readonly { readonly what: string; readonly lie: (asked: ExportAsked) => Promise<void>; readonly code: string; readonly words: RegExp }[] = [
  {
    what: 'a stream that is cut',
    async lie(asked) {
      const member = await asked.member()
      const whole = write(member)
      await asked.send(whole.subarray(0, whole.length - 200))
      asked.hangUp()
    },
    code: 'daemon-connection-lost', words: /closed the connection before it had answered/,
  },
  {
    what: 'half an item, passed off as a whole one',
    lie: async (asked) => asked.answer((await asked.member()).subarray(0, 256)),
    code: 'truncated-data', words: /the data ends at byte 256/,
  },
  { what: 'nothing at all', lie: (asked) => asked.send(last(), int(1)), code: 'truncated-data', words: /the data ends at byte 0/ },
  {
    what: 'other contents than were signed',
    async lie(asked) {
      const member = await asked.member()
      member.write('hostile', member.indexOf('honest'))
      await asked.answer(member)
    },
    code: 'hash-mismatch', words: /signature is of other data \(expected sha256 [0-9a-f]{64}, seen sha256 [0-9a-f]{64}\)/,
  },
  {
    what: 'a signature by a key that is not authorised',
    lie: async (asked) => asked.answer(await signedMember({ archive: encodeTree(file('x')), path: asked.path }, strangerSigner())),
    code: 'unauthorized-key', words: /not authorised here \(seen .*guix archive --authorize/,
  },
  {
    what: 'a signature that does not verify',
    async lie(asked) {
      const member = await asked.member()
      const { text } = signatureOf(member)
      const forged = text.replace(/\(s #(..)/, (whole, byte: string) => whole.replace(byte, byte === '00' ? '01' : '00'))
      expect(forged).not.toBe(text)
      await asked.answer(withSignature(member, forged))
    },
    code: 'bad-signature', words: /the signature does not verify/,
  },
  {
    what: 'a signature that is none',
    lie: async (asked) => asked.answer(withSignature(await asked.member(), '(signature (data #00#))')),
    code: 'malformed-signature', words: /checking the signature/,
  },
  {
    what: 'an item that is not signed',
    async lie(asked) {
      const member = await asked.member()
      await asked.answer(Buffer.concat([member.subarray(0, signatureOf(member).start), int(0)]))
    },
    code: 'unsigned-item', words: /not signed/,
  },
  {
    what: 'an item that was not asked for, in good order and well signed',
    async lie(asked) {
      const other = await farm.builder('liar').repl('(use-modules (guix store)) (with-store store (display (add-text-to-store store "other" "not asked for")))')
      await asked.answer(await asked.member(other.trim()))
    },
    code: 'unexpected-item', words: /another store item than the one asked for \(expected .*item-\d+, seen \/gnu\/store\/[a-z0-9]{32}-other\)/,
  },
  { what: 'an entry named ..', lie: sends(directory(['..', directory([canary, file('x')])])), code: 'malformed-data', words: /names its directory or the one above/ },
  { what: 'an entry with a path for a name', lie: sends(directory([`../../tmp/${canary}`, file('x')])), code: 'malformed-data', words: /has a slash/ },
  { what: 'an entry with an absolute name', lie: sends(directory([`/tmp/${canary}`, file('x')])), code: 'malformed-data', words: /has a slash/ },
  { what: 'an entry with a zero byte in its name', lie: sends(directory([`${canary}\0x`, file('x')])), code: 'malformed-data', words: /zero byte/ },
  { what: 'entries out of order', lie: sends(directory(['b', file('x')], ['a', file('x')])), code: 'malformed-data', words: /entries out of order at byte \d+ \(expected a name after "b", seen "a"\)/ },
  { what: 'an entry twice', lie: sends(directory(['a', file('x')], ['a', file('y')])), code: 'malformed-data', words: /comes twice/ },
  {
    what: 'a symbolic link and a file through it',
    lie: sends(directory(['a', link('/tmp')], ['a', directory([canary, file('x')])])),
    code: 'malformed-data', words: /comes twice/,
  },
  { what: 'a symbolic link and a file through it, by name', lie: sends(directory(['a', link('/tmp')], [`a/${canary}`, file('x')])), code: 'malformed-data', words: /has a slash/ },
  {
    what: 'folders in folders without end',
    lie: sends(Array.from({ length: 2100 }).reduce<Tree>((inner) => directory(['d', inner]), file('x'))),
    code: 'path-too-long', words: /longer than the system allows/,
  },
  { what: 'a name longer than any file system takes', lie: sendsArchive(open().str('directory').strs('entry', '(', 'name').int(2n ** 40n).build()), code: 'malformed-data', words: /length of an entry's name out of range/ },
  { what: 'a file of more bytes than can be counted', lie: sendsArchive(open().strs('regular', 'contents').int(2n ** 63n).build()), code: 'malformed-data', words: /size of a file out of range/ },
  { what: 'a huge file that ends early', lie: (asked) => asked.answer(open().strs('regular', 'contents').int(2n ** 50n).raw(Buffer.alloc(1000)).build()), code: 'truncated-data', words: /the data ends at byte/ },
  { what: 'more than the item', lie: async (asked) => asked.answer(Buffer.concat([await asked.member(), int(1)])), code: 'malformed-data', words: /data after the end of the item/ },
  {
    what: 'a reference to something that is no store item',
    lie: async (asked) => asked.answer(await signedMember({ archive: encodeTree(file('x')), path: asked.path, references: ['/gnu/store/../../etc'] }, own)),
    code: 'malformed-store-path', words: /not the name of a store item/,
  },
  { what: 'a frame that does not exist', lie: (asked) => asked.send(Buffer.from('garbage!'), Buffer.alloc(64, 0xff)), code: 'malformed-data', words: /frame tag out of range/ },
  { what: 'a frame of a terabyte', lie: (asked) => asked.send(int(0x64617416), int(2n ** 40n)), code: 'malformed-data', words: /length of a frame out of range/ },
  { what: 'a question where an answer is due', lie: (asked) => asked.send(int(0x64617461), int(100)), code: 'malformed-data', words: /asks for data nobody offered/ },
  {
    what: 'an error between two pieces of the item',
    async lie(asked) {
      const member = await asked.member()
      await asked.send(write(member.subarray(0, 128)), error('the disk\n@ build-failed \u001b[31mhas died', 1))
    },
    code: 'daemon-refused', words: /the disk @ build-failed has died/,
  },
  {
    what: 'an error in the middle of a piece',
    async lie(asked) {
      // Nothing tells it from the item's own bytes.
      const member = await asked.member()
      const whole = write(member)
      await asked.send(whole.subarray(0, 128), error('no space', 1))
      asked.hangUp()
    },
    code: 'malformed-data', words: /not the archive format at byte \d+ \(expected/,
  },
  {
    what: 'half an item, and then nothing',
    async lie(asked) {
      await asked.send(write((await asked.member()).subarray(0, 128)))
      await asked.gone
    },
    code: 'daemon-silent', words: /said nothing for 2 s\. The machine may be overloaded/,
  },
]

describe('a machine that lies about its outputs', () => {
  it.each(lies)('sends $what: $code', async ({ lie, code, words }) => {
    const seen = await refused(lie)
    expect(seen).toMatchObject({ code, message: expect.stringMatching(words) as string })
    // Which machine, and which item.
    expect(seen.message).toMatch(/^liar: /)
    expect(seen.message).toContain(seen.output)
    expect(seen.message).not.toMatch(/[\n\u001b]/)
  })

  it('leaves nothing of an output that was in good order when another one is not', async () => {
    const { code } = await refused(async (asked) => (asked.path.endsWith('-z') ? asked.send(error('gone', 1)) : asked.answer(await asked.member())), {
      outputs: ['out', 'z'], script: 'echo honest > $out; echo honest > $z',
    })
    expect(code).toBe('daemon-refused')
  })

  it('ends a stream without end where our disk does, and says that it is ours', async () => {
    let bytes = 0
    const { code, message } = await refused(async (asked) => {
      await asked.send(write(open().strs('regular', 'contents').int(2n ** 52n).build()))
      const gone = asked.gone.then(() => true)
      while (!(await Promise.race([gone, sleep(0, false)]))) {
        await asked.send(write(Buffer.alloc(32 * 1024, 'x'))).catch(() => undefined)
        bytes += 32 * 1024
      }
    })
    expect({ code, message }).toMatchObject({ code: 'local-store-full', message: expect.stringMatching(/no space left.*Free space/i) as string })
    expect(message).not.toMatch(/^liar/)
    expect(bytes).toBeGreaterThan(32 * 2 ** 20)
    expect(Number(await farm.master.sh('df --output=used -k /gnu/store | tail -n 1'))).toBeLessThan(16 * 1024)
  })

  it('may log as much as it likes meanwhile', async () => {
    const wanted = spec(strangeSystem)
    liar.lies = {
      async export(asked) {
        const member = await asked.member()
        const noise = next(Buffer.alloc(60_000, 'noise '))
        for (let sent = 0; sent < 200; sent += 1) await asked.send(noise)
        for (let at = 0; at < member.length; at += 100) await asked.send(next('still at it'), write(member.subarray(at, at + 100)))
        await asked.send(next(''), last(), int(1))
      },
    }
    const { built: valid, outputs, log } = await buildDerivation(farm.master, wanted)
    expect(valid).toBe(true)
    expect(await farm.master.readFile(`${outputs.out}/file`)).toBe('honest')
    expect(log).not.toContain('noise')
  })
})

describe('a machine that lies before the build', () => {
  const conversation = async (given: LyingDaemon['lies']) => {
    const wanted = spec(strangeSystem)
    const before = await storeNames()
    liar.lies = given
    const { log, failure, drv } = await buildDerivation(farm.master, wanted)
    expect(failure).toBeDefined()
    expect(await storeNames()).toEqual(before)
    const { error: seen } = (await farm.history()).at(-1) as { error: { code: string; message: string } }
    expect(log).toContain(`derivation '${drv}' offloaded to 'liar' failed: ${seen.message}`)
    expect(seen.message).toMatch(/^liar: /)
    return seen
  }

  it('speaks another version of the protocol', async () => {
    expect(await conversation({ greeting: helloBack(0x264) })).toMatchObject({
      code: 'unsupported-protocol-version', message: expect.stringMatching(/expected 0x163 to 0x1ff, seen 0x264\)\. A newer guix-offload is needed here/) as string,
    })
  })

  it('speaks a version that is too old', async () => {
    expect(await conversation({ greeting: helloBack(0x150) })).toMatchObject({
      code: 'unsupported-protocol-version', message: expect.stringContaining('Guix 1.2.0 or newer is needed there') as string,
    })
  })

  it('takes the connection and never greets', async () => {
    expect(await conversation({ greeting: helloBack().subarray(0, 15) })).toMatchObject({ code: 'daemon-silent', message: expect.stringContaining('reaching its guix-daemon: the daemon has said nothing for 5 s') as string })
  })

  it('is no guix-daemon', async () => {
    expect(await conversation({ greeting: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') })).toMatchObject({ code: 'malformed-data', message: expect.stringContaining('/run/liar/socket') as string })
  })

  it('has what nobody asked about', async () => {
    expect(await conversation({ replies: { 31: join(int(1), str('/gnu/store/00000000000000000000000000000000-other')) } })).toMatchObject({
      code: 'malformed-data', message: expect.stringContaining('not asked about') as string,
    })
  })

  it('claims a list without end', async () => {
    expect(await conversation({ replies: { 31: int(2n ** 60n) } })).toMatchObject({ code: 'malformed-data', message: expect.stringContaining('out of range') as string })
  })
})

describe('an honest machine besides', () => {
  it.each([
    ['a wrong hash', async (asked: ExportAsked) => {
      const member = await asked.member()
      member.write('hostile', member.indexOf('honest'))
      await asked.answer(member)
    }, 'hash-mismatch'],
    ['a cut', async (asked: ExportAsked) => {
      await asked.send(write((await asked.member()).subarray(0, 64)))
      asked.hangUp()
    }, 'daemon-connection-lost'],
    ['a path out of the store', sends(directory(['..', file(canary)])), 'malformed-data'],
  ] as const)('does the build after %s, while the slot of the liar is free again', async (_what, lie, code) => {
    const wanted = spec(currentSystem, { script: 'mkdir $out; echo honest > $out/file; sleep 0.7' })
    liar.lies = { export: lie }
    let during: Promise<unknown> | undefined
    const { drv, outputs, built: valid, log, failure } = await buildDerivation(farm.master, wanted, {
      onLog(text) {
        if (text.includes(`@ build-remote`) && text.includes(' honest')) during ??= Promise.all([slotTaken('liar'), slotTaken('honest')])
      },
    })
    expect(failure).toBeUndefined()
    expect(valid).toBe(true)
    expect(await farm.master.readFile(`${outputs.out}/file`)).toBe('honest')
    expect(log).toContain(`'liar' failed (${code}); trying 'honest'`)
    expect(await during).toEqual([false, true])
    const entries = (await farm.history()).filter((entry) => entry.derivation === drv)
    expect(entries).toMatchObject([{ machine: 'liar:22', outcome: 'machine-failed', error: { code } }, { machine: 'honest:22', outcome: 'built' }])
    expect(await farm.master.sh('ls -A /gnu/store | grep guix-offload- || true')).toBe('')
    expect(await outsideOfStore()).toBe('')
  })
})

it('leaves a store in which everything is what it should be', async () => {
  const { stdout, stderr, exitCode } = await farm.master.guixCommand(['gc', '--verify=contents'], { reject: false })
  expect({ exitCode, text: `${String(stdout)}${String(stderr)}` }).toEqual({ exitCode: 0, text: expect.not.stringMatching(/modified|missing|disappeared|invalid/) as string })
})
