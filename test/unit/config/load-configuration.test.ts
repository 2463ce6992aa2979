import { access, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultConfiguration } from '../../../src/config/configuration.js'
import { readEnvironment } from '../../../src/config/environment.js'
import { loadConfiguration } from '../../../src/config/load-configuration.js'
import { checkConfiguration } from '../../../src/config/schema.js'
import { ConfigurationError } from '../../../src/errors/offload-error.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'configuration-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const load = (variables: Record<string, string> = {}): ReturnType<typeof loadConfiguration> =>
  loadConfiguration(readEnvironment({ GUIX_CONFIGURATION_DIRECTORY: folder, ...variables }))
const write = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text, { mode: 0o644 })
  return join(folder, name)
}
const failure = async (text: string): Promise<ConfigurationError> => {
  await write('offload.yaml', text)
  const error: unknown = await load().then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof ConfigurationError)) throw new Error(`not a ConfigurationError: ${String(error)}`)
  return error
}

const everything = `
transport: openssh
scheduler: locality
sources: [machines-scm, dns-sd]
onUnreachable: wait
offloadOnward: true
minimumFreeSpace: 1GiB
timeouts: { connect: 5s, handshake: 500ms, keepAlive: 1m, keepAliveMisses: 2, stall: 2m }
machines:
  "b*": { transport: openssh, proxyJump: me@gate.example.org:2222, legacyAlgorithms: false, hostKeys: [ssh-ed25519 AAAA], disabled: false }
  "*.{example,test}.org": { transport: lsh }
  b1: { disabled: true }
plugins: { dns-sd: { interface: eth0 } }
`

describe('the configuration', () => {
  it('has defaults', async () => {
    const configuration = await load()
    expect(configuration).toEqual(defaultConfiguration)
    expect(configuration).toMatchObject({
      transport: 'ssh2', scheduler: 'guix', sources: ['machines-scm'], onUnreachable: 'local', offloadOnward: false, minimumFreeSpaceBytes: 104_857_600, origin: {},
    })
    expect(configuration.machineSettings('b1')).toEqual({})
  })

  it('is read from YAML', async () => {
    const file = await write('offload.yaml', everything)
    const configuration = await load()
    expect(configuration).toMatchObject({
      transport: 'openssh', scheduler: 'locality', sources: ['machines-scm', 'dns-sd'], onUnreachable: 'wait', offloadOnward: true, minimumFreeSpaceBytes: 2 ** 30,
      timeouts: { connectMs: 5000, handshakeMs: 500, keepAliveMs: 60_000, keepAliveMisses: 2, stallMs: 120_000 }, plugins: { 'dns-sd': { interface: 'eth0' } }, origin: { file },
    })
  })

  it.each([
    ['offload.yml', 'scheduler: least-loaded'], ['offload.json', '{"scheduler": "least-loaded"}'], ['offload.js', 'export default { scheduler: "least-loaded" }'],
    ['offload.js', 'module.exports = { scheduler: "least-loaded" }'],
  ])('is read from %s', async (name, text) => {
    const file = await write(name, text)
    expect(await load()).toMatchObject({ scheduler: 'least-loaded', transport: 'ssh2', timeouts: defaultConfiguration.timeouts, origin: { file } })
  })

  it('may be empty, or have empty sections', async () => {
    await write('offload.yaml', '# nothing\n')
    expect(await load()).toMatchObject({ transport: 'ssh2' })
    await write('offload.yaml', 'transport:\ntimeouts:\n  connect:\nmachines:\n  b1:\nplugins:\n')
    expect(await load()).toMatchObject({ transport: 'ssh2', timeouts: defaultConfiguration.timeouts, plugins: {} })
  })

  it('can be elsewhere, but must be there then', async () => {
    await write('offload.yaml', 'scheduler: locality')
    const file = await write('other.json', '{"scheduler": "least-loaded"}')
    expect(await load({ GUIX_OFFLOAD_CONFIG: file })).toMatchObject({ scheduler: 'least-loaded', origin: { file } })
    await expect(load({ GUIX_OFFLOAD_CONFIG: join(folder, 'none.yaml') })).rejects.toMatchObject({ code: 'configuration-missing', report: { subject: join(folder, 'none.yaml') } })
    await expect(load({ GUIX_OFFLOAD_CONFIG: await write('offload.toml', '') })).rejects.toMatchObject({ code: 'configuration-malformed', report: { seen: '.toml' } })
  })

  it('must be trusted', async () => {
    const file = await write('offload.yaml', '')
    await chmod(file, 0o666)
    await expect(load()).rejects.toMatchObject({ code: 'untrusted-file', report: { subject: file } })
  })

  it('does not run what lies in the current folder', async () => {
    const marker = join(folder, 'ran')
    await mkdir(join(folder, '.config'))
    await writeFile(join(folder, '.config', 'config.cjs'), `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`)
    await write('offload.yaml', 'scheduler: locality')
    const before = process.cwd()
    process.chdir(folder)
    try {
      expect(await load()).toMatchObject({ scheduler: 'locality' })
    } finally {
      process.chdir(before)
    }
    await expect(access(marker)).rejects.toThrow('ENOENT')
  })
})

describe('mistakes in the configuration', () => {
  it.each([
    ['schedular: guix', 'schedular', 'unknown key `schedular`, did you mean `scheduler`?'],
    ['Transport: ssh2', 'Transport', 'unknown key `Transport`, did you mean `transport`?'],
    ['colour: red', 'colour', 'unknown key `colour`'],
    ['timeouts: { conect: 1s }', 'timeouts.conect', 'unknown key `conect`, did you mean `connect`?'],
    ['machines: { b1: { proxyjump: gate } }', 'machines.b1.proxyjump', 'unknown key `proxyjump`, did you mean `proxyJump`?'],
  ])('%s', async (text, path, problem) => {
    const { code, report } = await failure(text)
    expect(code).toBe('configuration-invalid')
    expect(report).toMatchObject({ problem, subject: expect.stringMatching(new RegExp(`/offload\\.yaml:1:\\d+: ${path.replaceAll('.', '\\.')}$`)) as string })
  })

  it.each([
    ['transport: 5', 'transport', 'string', '5'],
    ['transport: ""', 'transport', 'a name', '""'],
    ['sources: machines-scm', 'sources', 'Array', '"machines-scm"'],
    ['sources: [1]', 'sources.0', 'string', '1'],
    ['onUnreachable: ignore', 'onUnreachable', '("local" | "wait")', '"ignore"'],
    ['offloadOnward: "yes"', 'offloadOnward', 'boolean', '"yes"'],
    ['minimumFreeSpace: lots', 'minimumFreeSpace', 'a size such as 100MiB', '"lots"'],
    ['timeouts: { connect: 10 }', 'timeouts.connect', 'a time from 1ms to 24h, such as 500ms, 10s or 2m', '10'],
    ['timeouts: { connect: 0s }', 'timeouts.connect', 'a time from 1ms to 24h, such as 500ms, 10s or 2m', '"0s"'],
    ['timeouts: { stall: 25h }', 'timeouts.stall', 'a time from 1ms to 24h, such as 500ms, 10s or 2m', '"25h"'],
    ['timeouts: { keepAliveMisses: 0 }', 'timeouts.keepAliveMisses', 'a whole number from 1 to 1000', '0'],
    ['machines: { b1: { proxyJump: "-oProxyCommand=x" } }', 'machines.b1.proxyJump', '[USER@]HOST[:PORT]', '"-oProxyCommand=x"'],
    ['machines: { b1: { sshConfig: none } }', 'machines.b1.sshConfig', 'true, false or an absolute path', '"none"'],
    ['machines: { b1: { disabled: 1 } }', 'machines.b1.disabled', 'boolean', '1'],
  ])('%s', async (text, path, expected, seen) => {
    const { code, report } = await failure(text)
    expect(code).toBe('configuration-invalid')
    expect(report).toMatchObject({ expected, seen, subject: expect.stringMatching(new RegExp(`/offload\\.yaml:1:\\d+: ${path.replaceAll('.', '\\.')}$`)) as string })
  })

  it('are all named', async () => {
    expect((await failure('transport: 5\nscheduler: 6\ntimeouts: { conect: 1s }')).report.cure).toBe('Also wrong: scheduler (2:1), timeouts.conect (3:13)')
  })

  it('are one line each, with the place', async () => {
    const error = await failure('transport: ssh2\nscheduler: [guix\n')
    expect(error).toMatchObject({ code: 'configuration-malformed' })
    expect(error.report.subject).toMatch(/offload\.yaml:\d+:\d+$/)
    expect(error.message).not.toContain('\n')
    expect(await failure('- a list')).toMatchObject({ code: 'configuration-invalid', report: { subject: join(folder, 'offload.yaml') } })
  })

  it('have their place in JSON, and none in JavaScript', async () => {
    const json = await write('offload.json', '{\n  "transport": "ssh2",\n  "machines": {"b1": {"disabled": 1}}\n}')
    await expect(load()).rejects.toMatchObject({ report: { subject: `${json}:3:23: machines.b1.disabled` } })
    await rm(json)
    const program = await write('offload.js', 'export default { transport: 5 }')
    await expect(load()).rejects.toMatchObject({ report: { subject: `${program}: transport` } })
  })

  it('in JSON and JavaScript are reported alike', async () => {
    const json = await write('offload.json', '{"transport": }')
    await expect(load()).rejects.toMatchObject({ code: 'configuration-malformed', report: { subject: json } })
    await rm(json)
    const script = await write('offload.js', 'throw new Error("no luck")')
    await expect(load()).rejects.toMatchObject({ code: 'configuration-malformed', report: { subject: script, problem: 'no luck' } })
  })

  it('never lead to other errors', () => {
    fc.assert(fc.property(fc.jsonValue(), fc.constantFrom('transport', 'sources', 'timeouts', 'machines', 'plugins', 'minimumFreeSpace', '__proto__'), (value, key) => {
      for (const input of [value, { [key]: value }]) {
        const result = checkConfiguration(input)
        if ('mistakes' in result) expect(result.mistakes.length).toBeGreaterThan(0)
        else expect(typeof result.value).toBe('object')
      }
    }))
  })
})

describe('settings of machines', () => {
  it('are looked up by pattern, then by name', async () => {
    await write('offload.yaml', everything)
    const { machineSettings } = await load()
    const b = { transport: 'openssh', proxyJump: 'me@gate.example.org:2222', legacyAlgorithms: false, hostKeys: ['ssh-ed25519 AAAA'], disabled: false }
    expect(machineSettings('b2')).toEqual(b)
    expect(machineSettings('B1')).toEqual({ ...b, disabled: true })
    expect(machineSettings('b.test.org')).toEqual({ ...b, transport: 'lsh' })
    expect(machineSettings('x.example.org')).toEqual({ transport: 'lsh' })
    expect(machineSettings('c1')).toEqual({})
  })

  it.each(['gate', 'me@gate', 'gate:22', 'me@[2001:db8::1]:22', '192.0.2.1'])('may go through %s', async (jump) => {
    await write('offload.yaml', `machines: { b1: { proxyJump: "${jump}" } }`)
    expect((await load()).machineSettings('b1')).toEqual({ proxyJump: jump })
  })

  it.each([true, false, '/etc/ssh/offload_config'])('may have sshConfig: %s', async (sshConfig) => {
    await write('offload.yaml', `machines: { b1: { sshConfig: ${sshConfig} } }`)
    expect((await load()).machineSettings('b1')).toEqual({ sshConfig })
  })
})

describe('the environment', () => {
  it('wins over the file and the defaults, for all machines', async () => {
    const variables = { GUIX_OFFLOAD_TRANSPORT: 'lsh', GUIX_OFFLOAD_SCHEDULER: 'random', GUIX_OFFLOAD_ON_UNREACHABLE: 'wait' }
    const wanted = { transport: 'lsh', scheduler: 'random', onUnreachable: 'wait' }
    expect(await load(variables)).toMatchObject(wanted)
    await write('offload.yaml', 'transport: openssh\nmachines: { b1: { transport: ssh2 } }')
    const configuration = await load(variables)
    expect(configuration).toMatchObject(wanted)
    expect(configuration.machineSettings('b1')).toEqual({ transport: 'ssh2' })
  })

  it('says nothing with an empty string', async () => {
    expect(await load({ GUIX_OFFLOAD_TRANSPORT: '', GUIX_OFFLOAD_ON_UNREACHABLE: '' })).toEqual(defaultConfiguration)
  })

  it('is refused by the name of the variable', async () => {
    await expect(load({ GUIX_OFFLOAD_ON_UNREACHABLE: 'wiat' })).rejects.toMatchObject({
      code: 'environment-invalid',
      message: 'GUIX_OFFLOAD_ON_UNREACHABLE: reading the environment: wrong value, did you mean `wait`? (expected local or wait, seen "wiat"). Correct or unset it',
    })
  })
})
