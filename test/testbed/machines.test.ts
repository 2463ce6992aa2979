import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestBed } from './bed.js'
import { buildDerivation, buildDerivations, type DerivationSpec, instantiate, outputOf } from './derivations.js'
import { describeOnBed } from './describe-on-bed.js'
import type { Machine } from './machine.js'

const kinds = [
  { guix: '1.5.0', daemon: 'root' },
  { guix: '1.5.0', daemon: 'unprivileged' },
  { guix: '1.2.0', daemon: 'root' },
] as const

describeOnBed('a machine', () => {
  let bed: TestBed
  beforeAll(async () => {
    bed = await TestBed.up({ name: 'machines' })
  })
  afterAll(() => bed.down())

  describe.each(kinds)('with Guix $guix and the daemon as $daemon', ({ guix, daemon }) => {
    let machine: Machine
    beforeAll(async () => {
      machine = await bed.machine({ name: `m-${guix}-${daemon}`, guix, daemon })
    })

    test('is a machine of its own: name, processes, devices, program, keys', async () => {
      expect(await machine.sh('hostname')).toBe(machine.name)
      expect((await machine.processes()).map(({ command }) => command[0])).toEqual(['guix-daemon'])
      expect(await machine.sh('ls -A /dev')).toBe('fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero')
      expect(await machine.sh('/opt/node/bin/node --version')).toBe(process.version)
      expect(await machine.readFile('/opt/guix-offload/package.json')).toContain('"name": "guix-offload"')
      expect((await machine.run(['touch', '/opt/guix-offload/x'], { reject: false })).stderr).toContain('Read-only file system')
      expect(machine.hostKey).toMatch(/^ssh-ed25519 [\w+/=]+$/)
      expect(machine.hostKeyRsa).toMatch(/^ssh-rsa [\w+/=]+$/)
      expect(machine.signingKey).toContain('(curve Ed25519)')
      expect((await machine.sh('guix --version')).split('\n')[0]).toBe(`guix (GNU Guix) ${guix}`)
    })

    test('runs the daemon as the user it should, with keys that user can read', async () => {
      const user = daemon === 'root' ? 'root' : 'guix-daemon'
      expect(await machine.sh('stat -c %U /gnu/store /etc/guix/signing-key.sec')).toBe(`${user}\n${user}`)
      expect(await machine.sh('ps -o user= -C guix-daemon | sort -u')).toMatch(user === 'root' ? /^root$/ : /^guix-d/)
    })

    test('builds a graph: inputs by output, environment, sources, several outputs, references', async () => {
      await machine.writeFile('/srv/source', 'source text')
      const tool: DerivationSpec = {
        name: 'tool',
        outputs: ['out', 'lib'],
        script: 'echo out > $out; mkdir $lib; echo "$WORD" > $lib/word',
        env: { WORD: 'back\\slash "quoted"\nline' },
      }
      const user: DerivationSpec = {
        name: 'user',
        script: 'mkdir $out; cat $LIB/word $SOURCE > $out/text; echo $TOOL > $out/reference',
        inputs: { TOOL: tool, LIB: outputOf(tool, 'lib') },
        sources: { SOURCE: '/srv/source' },
      }
      const result = await buildDerivation(machine, user, { offload: false })
      expect(result.failure).toBeUndefined()
      expect(result.built).toBe(true)
      const out = result.outputs.out ?? ''
      expect(await machine.readFile(`${out}/text`)).toBe('back\\slash "quoted"\nline\nsource text')
      const references = await machine.sh(`guix gc --references ${out}`)
      expect(references).toMatch(/^\/gnu\/store\/[a-z0-9]{32}-tool$/)
    })

    test('tells a build failure, its status and its log, as it comes', async () => {
      let seen = ''
      const good: DerivationSpec = { name: 'good', script: 'echo fine > $out' }
      const bad: DerivationSpec = { name: 'bad', script: 'echo before the end; exit 7' }
      const options = { offload: false, keepGoing: true, onLog: (text: string) => (seen += text) }
      const { derivations, failure, log } = await buildDerivations(machine, [good, bad], options)
      expect(derivations.map(({ built }) => built)).toEqual([true, false])
      expect(failure).toMatchObject({ status: 100, message: expect.stringContaining(`build of \`${derivations[1]?.drv}' failed`) as string })
      expect(log).toContain('before the end')
      expect(seen.trimEnd()).toBe(log)
    })

    test('checks a fixed output', async () => {
      const hash = createHash('sha256').update('known\n').digest('hex')
      const spec = (name: string, text: string): DerivationSpec => ({ name, script: `echo ${text} > $out`, fixedOutput: { hash } })
      const name = `fixed-${Math.random().toString(36).slice(2)}`
      expect(await buildDerivation(machine, spec(name, 'known'), { offload: false })).toMatchObject({ built: true })
      const wrong = await buildDerivation(machine, spec(`${name}-wrong`, 'other'), { offload: false })
      expect(wrong.built).toBe(false)
      expect(wrong.failure?.message).toContain(`build of \`${wrong.drv}' failed`)
    })

    test('instantiates without building', async () => {
      const [derivation] = await instantiate(machine, [{ name: 'later', script: 'exit 1', features: ['kvm'] }])
      expect(derivation?.built).toBe(false)
      expect(await machine.readFile(derivation?.drv ?? '')).toContain('("requiredSystemFeatures","kvm")')
    })

    test('ends a build whose client is killed', async () => {
      const abort = new AbortController()
      const building = buildDerivation(machine, { name: 'endless', script: 'echo started; sleep 1000' }, {
        offload: false, signal: abort.signal, onLog: (text) => (text.includes('started') ? abort.abort() : undefined),
      })
      await expect(building).rejects.toThrow()
      await expect.poll(async () => (await machine.processes()).filter(({ command }) => command.includes('sleep')), { timeout: 20_000 }).toEqual([])
    })
  })

  test('can have a small store, which fills up', async () => {
    const machine = await bed.machine({ name: 'small', storeSize: '16m' })
    const { built, log } = await buildDerivation(machine, { name: 'big', script: 'head -c 32000000 /dev/zero > $out' }, { offload: false })
    expect(built).toBe(false)
    expect(log).toContain('lack of free disk space')
  })

  test('can have a clock that is wrong, in sessions too', async () => {
    const machine = await bed.machine({ name: 'behind', clockOffset: -3600, sshd: true })
    await machine.installUserKey()
    const sessionDate = Number(await machine.sh('ssh -o StrictHostKeyChecking=no localhost date +%s'))
    expect(Math.abs(Date.now() / 1000 - 3600 - sessionDate)).toBeLessThan(10)
  })
})
