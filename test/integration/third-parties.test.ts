/**
 * Plugins of third parties, written against the published API alone, packed, and installed with `guix-offload plugins install` on a machine that has no network to speak of: a source
 * that asks Consul, a strategy, and a transport to a local shell. With these three, and nothing else that could reach or know of the machines, guix-daemon offloads.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { npmFolder, packThirdParties, type PackedPlugins } from '../support/third-parties.js'
import { nodeInMachine, checkoutInMachine } from '../testbed/bed.js'
import { buildDerivation } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

const third = { source: 'guix-offload-machines-consul', strategy: 'guix-offload-scheduler-two-choices', transport: 'guix-offload-transport-local' }
const home = '/var/lib/guix-offload/plugins'
const settings = '/etc/guix/offload.yaml'
const services = '/tmp/services.json'
const own = 'sources: [consul]\nscheduler: two-choices\ntransport: local\n'

/** What Consul answers on its port, of a file that the test writes. */
const consul = `
  import { createServer } from 'node:http'
  import { readFileSync } from 'node:fs'
  createServer(({ url }, response) => {
    if (url === '/v1/health/service/guix-offload?passing') response.setHeader('content-type', 'application/json').end(readFileSync('${services}'))
    else response.writeHead(404).end()
  }).listen(8500, '127.0.0.1')
`

let packed: PackedPlugins

beforeAll(async () => {
  packed = await packThirdParties(['machines-consul', 'scheduler-two-choices', 'transport-local'])
})
afterAll(() => packed[Symbol.asyncDispose]())

describe.each(['root', 'unprivileged'] as const)('with guix-daemon as %s', (daemon) => {
  let farm: Farm
  let builds = 0

  beforeAll(async () => {
    const binds = [{ source: await npmFolder(), target: '/opt/node/lib/node_modules/npm' }, { source: packed.folder, target: '/opt/packed' }]
    // Nobody listens for SSH.
    farm = await startFarm({ name: 'third', master: { daemon, binds }, builders: [{ name: 'b1', sshd: false }, { name: 'b2', sshd: false }] })
    const { master, builders } = farm
    await master.sh('ln -s ../lib/node_modules/npm/bin/npm-cli.js /opt/node/bin/npm; rm /etc/guix/machines.scm')
    await master.writeFile('/tmp/consul.mjs', consul)
    const background = (machine: typeof master, command: readonly string[]) => void machine.spawn(command, { stdin: 'ignore', reject: false })
    background(master, [nodeInMachine, '/tmp/consul.mjs'])
    // The transport knows this computer alone: the daemons of the others come to it through socat.
    for (const builder of builders) {
      background(builder, ['socat', 'TCP-LISTEN:7777,fork,reuseaddr', 'UNIX-CONNECT:/var/guix/daemon-socket/socket'])
      background(master, ['socat', `UNIX-LISTEN:/run/${builder.name}.socket,fork,mode=666`, `TCP:${builder.address}:7777`])
    }
    await waitFor('what stands for the network', async () => {
      const { exitCode } = await master.run(['sh', '-c', 'test -S /run/b1.socket && test -S /run/b2.socket && grep -qi ":2134 00000000:0000 0A" /proc/net/tcp'], { reject: false })
      return exitCode === 0
    })
    await describeServices(['b1', 'b2'])
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  const describeServices = (names: readonly string[]) =>
    farm.master.writeFile(services, JSON.stringify(names.map((name) => ({
      Node: { Node: name }, Service: { Service: 'guix-offload', Address: name, Port: 22, Meta: { user: 'root', hostkey: farm.builder(name).hostKey, socket: `/run/${name}.socket`, jobs: '2' } },
    }))))

  /** As an administrator would: root, whoever the daemon is. */
  const plugins = (...words: string[]) => farm.master.run([nodeInMachine, `${checkoutInMachine}/bin/run.js`, 'plugins', ...words], { reject: false, cwd: '/opt/packed' })
  const configure = (text: string) => farm.master.writeFile(settings, text)
  const build = () => {
    builds += 1
    return buildDerivation(farm.master, { name: `third-${builds}`, script: `echo ${builds} > $out` })
  }
  const offloaded = async (lines: readonly RegExp[] = []) => {
    const { built, failure, log } = await build()
    expect({ built, failure, log }).toEqual({ built: true, failure: undefined, log: expect.stringMatching(/^@ build-remote \S+ b[12]$/m) as string })
    for (const line of lines) expect(log.match(new RegExp(line, 'gm'))).toHaveLength(1)
    const last = (await farm.history()).at(-1)
    expect(last).toMatchObject({ outcome: 'built', machine: expect.stringMatching(/^b[12]:22$/) as string })
    return String(last?.['machine']).slice(0, 2)
  }
  /** A plugin that lies about, linked to. */
  const linkPlugin = async (name: string, hook: string) => {
    await farm.master.writeFile(`/opt/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', type: 'module', oclif: { hooks: { 'offload:contribute': './hook.js' } } }))
    await farm.master.writeFile(`/opt/${name}/hook.js`, hook)
    return plugins('link', `/opt/${name}`)
  }

  it('installs them from packed tarballs', async () => {
    for (const tarball of Object.values(packed.tarballs)) {
      const { exitCode, stderr, stdout } = await plugins('install', `./${tarball}`)
      expect({ exitCode, stderr, stdout }).toEqual({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/^installed guix-offload-\S+ 1\.0\.0$/) as string })
    }
    const { stdout } = await plugins('--json')
    expect(JSON.parse(String(stdout))).toMatchObject({
      plugins: [
        { name: third.source, brings: [{ kind: 'machine source', name: 'consul' }], problem: null },
        { name: third.strategy, brings: [{ kind: 'scheduling strategy', name: 'two-choices' }], problem: null },
        { name: third.transport, brings: [{ kind: 'transport', name: 'local' }], problem: null },
      ],
    })
    expect(await farm.master.sh(`find ${home} ! -user root -o -perm /022 ! -type l`)).toBe('')
  })

  it('offloads with the three of them', async () => {
    await configure(own)
    const { stdout } = await farm.run(['machines', '--json'])
    expect((JSON.parse(String(stdout)) as { machines: unknown }).machines).toMatchObject([{ name: 'b1', source: 'consul', parallelBuilds: 2 }, { name: 'b2', source: 'consul' }])
    const machine = await offloaded()
    const output = (await farm.builder(machine).sh('ls -d /gnu/store/*-third-*')).trim()
    expect(output).toMatch(/-third-\d+(\.drv)?$/m)
  })

  it('follows what the source says', async () => {
    await describeServices(['b2'])
    expect(await offloaded()).toBe('b2')
    await describeServices(['b1'])
    expect(await offloaded()).toBe('b1')
    await describeServices(['b1', 'b2'])
  })

  it('takes nothing that a plugin prints for an answer, and lives with what it throws', async () => {
    const noise = `export default ({ registrar }) => {
      console.log('# decline')
      registrar.machineSource('noise', ({ log }) => ({ name: 'noise', list: async () => {
        process.stdout.write('# dec'); console.log('line'); console.error('# postpone'); log.info('# accept')
        setTimeout(() => { throw new Error('from a timer') }); Promise.reject(new Error('from a promise'))
        return { machines: [], warnings: [] }
      } }))
    }`
    expect((await linkPlugin('noise', noise)).exitCode).toBe(0)
    await configure(own.replace('[consul]', '[consul, noise]'))
    await offloaded([/plugin noise threw an error that it did not catch: from a (timer|promise)$/])
    expect((await plugins('uninstall', 'noise')).exitCode).toBe(0)
    await configure(own)
  })

  it('goes on without a plugin that is broken, with one warning', async () => {
    expect((await linkPlugin('broken', 'export default () => {}')).exitCode).toBe(0)
    for (const [hook, reason] of [
      ['throw new Error("no luck")', 'no luck'], ['export default () => new Promise(() => {})', 'its hook did not return within 2000 ms'], ['import "nothing"', '.*nothing.*'],
    ] as const) {
      await farm.master.writeFile('/opt/broken/hook.js', hook)
      await offloaded([new RegExp(`plugin broken is left out: ${reason}$`)])
    }
    await farm.master.sh('echo "export default () => {}" > /opt/broken/hook.js; chmod 666 /opt/broken/hook.js')
    await offloaded([/plugin broken is left out: .*everybody may write to it.*chmod go-w \/opt\/broken\/hook\.js$/])
    expect((await plugins('uninstall', 'broken')).exitCode).toBe(0)
  })

  it.each([
    ['source', 'consul'], ['strategy', 'two-choices'], ['transport', 'local'],
  ] as const)('declines, and says so, where the %s that the configuration needs may not be loaded', async (kind, name) => {
    const file = String((await farm.master.sh(`find ${home}/packages -path '*/${third[kind]}/dist/*' -name '*.js' | tail -n 1`))).trim()
    await farm.master.sh(`chmod o+w ${file}`)
    const { built, failure, log } = await build()
    await farm.master.sh(`chmod o-w ${file}`)
    expect(log).toMatch(new RegExp(`plugin ${third[kind]} is left out: .*${file}: .*everybody may write to it.*chmod o-w ${file}$`, 'm'))
    expect(log).toMatch(new RegExp(`error: choosing the \\S+.*the configuration asks for '${name}', which no plugin brings.*Plugin ${third[kind]} failed`))
    // guix-daemon's words where the hook declines and it may build nothing itself.
    expect({ built, message: failure?.message }).toEqual({ built: false, message: expect.stringMatching(/^unable to start any build/) as string })
    await offloaded()
  })

  it('declines where what a plugin brings fails when it is used', async () => {
    await linkPlugin('bad-strategy', 'export default ({ registrar }) => registrar.schedulingStrategy("bad", () => ({ name: "bad", rank() { throw new Error("cannot rank") } }))')
    await configure(own.replace('two-choices', 'bad'))
    const { built, log, failure } = await build()
    expect({ built, message: failure?.message }).toEqual({ built: false, message: expect.stringMatching(/^unable to start any build/) as string })
    expect(log).toMatch(/guix offload: error: bad-strategy: asking scheduling strategy 'bad': cannot rank/)
    expect((await plugins('uninstall', 'bad-strategy')).exitCode).toBe(0)
    await configure(own)
  })

  it('names both packages where two bring the same', async () => {
    const { stderr, exitCode } = await linkPlugin('second', 'export default ({ registrar }) => registrar.transport("local", () => ({}))')
    expect({ stderr, exitCode }).toEqual({ exitCode: 1, stderr: expect.stringContaining(`transport 'local' is brought by two packages, ${third.transport} and second`) as string })
    await offloaded()
  })

  it('keeps what works when an installation fails, and builds meanwhile', async () => {
    const before = await farm.master.sh(`cat ${home}/index.json; ls ${home}/packages`)
    await farm.master.sh('mkdir -p /tmp/bad && cd /tmp/bad && tar -xzf /opt/packed/' + (packed.tarballs['machines-consul'] ?? '') + ' && echo "throw new Error(String(7))" > package/dist/src/contribute.js')
    const [failed] = await Promise.all([plugins('install', '/tmp/bad/package'), offloaded()])
    expect({ exitCode: failed.exitCode, stderr: failed.stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining(`trying ${third.source}: 7. Nothing was changed`) as string })
    expect(await farm.master.sh(`cat ${home}/index.json; ls ${home}/packages`)).toBe(before)
    const again = () => plugins('install', `./${packed.tarballs['machines-consul'] ?? ''}`)
    await Promise.all([again(), offloaded()])
    // A hook that ran meanwhile keeps the folder that was replaced, until the next change.
    await again()
    expect((await farm.master.sh(`ls ${home}/packages`)).trim().split('\n')).toHaveLength(3)
    await offloaded()
  })

  it('has nothing left of them in the end', async () => {
    for (const name of Object.values(third)) expect((await plugins('uninstall', name)).exitCode).toBe(0)
    expect(await farm.master.sh(`ls ${home}/packages`)).toBe('')
    const { built, log } = await build()
    expect(built).toBe(false)
    expect(log).toMatch(/the configuration asks for '(consul|two-choices|local)', which no plugin brings/)
  })
})
