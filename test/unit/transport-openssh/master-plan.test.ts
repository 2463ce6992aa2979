import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandArguments, keepAlive, masterArguments, parseJump, pathsIn, planFor } from '../../../plugins/transport-openssh/src/master-plan.js'
import type { BuildMachine, MachineSettings } from '../../../src/plugin-api/index.js'
import { buildMachine, pluginHost } from '../../support/plugin-host.js'

const context = { signal: new AbortController().signal, homeDirectory: '/home/u', timeouts: { connectMs: 1500, handshakeMs: 5000, keepAliveMs: 15_000, keepAliveMisses: 4 } }
const pin = { type: 'ssh-ed25519', base64: 'AAAA', fingerprint: 'SHA256:x' }
const plan = (changes: Partial<BuildMachine> = {}, messages: string[] = []) => planFor(buildMachine({ hostKey: '', ...changes }), [pin], context, pluginHost(messages).log)
const argumentsFor = (changes: Partial<BuildMachine> = {}) => masterArguments(plan(changes), pathsIn('/p%q', 'name'), ['/keys/a b', '/keys/%d'], '/bin/ssh')
const optionsOf = (words: readonly string[]) => words.filter((_, index) => words[index - 1] === '-o')

describe('a plan', () => {
  it('has a name that depends on all that matters and on nothing else', () => {
    const { name } = plan()
    expect(name).toMatch(/^[0-9a-f]{16}$/)
    expect(plan({ speed: 3, parallelBuilds: 7, compression: 'none', settings: { sshConfig: false } }).name).toBe(name)
    const settings: MachineSettings[] = [{ proxyJump: 'gate' }, { legacyAlgorithms: true }, { sshConfig: true }, { sshConfig: '/c' }]
    const others = [{ name: 'x' }, { port: 2222 }, { user: 'x' }, { privateKey: '/k' }, { compression: 'zlib' }, ...settings.map((each) => ({ settings: each }))]
    expect(new Set([name, ...others.map((changes) => plan(changes).name)]).size).toBe(others.length + 1)
  })

  it('warns of compressions it does not know and takes the first that it knows', () => {
    const messages: string[] = []
    expect(plan({ compression: 'zstd, zlib@openssh.com,none' }, messages).compression).toBe(true)
    expect(messages).toEqual([expect.stringContaining('zstd')])
    expect(plan({ compression: 'none,zlib' }).compression).toBe(false)
  })
})

describe('keepAlive', () => {
  it('notices silence in time, and never in less than half of it', () => {
    fc.assert(fc.property(fc.integer({ min: 2000, max: 120_000 }), fc.integer({ min: 1, max: 10 }), (ms, misses) => {
      const { interval, count } = keepAlive(ms, misses)
      const noticed = interval * (count + 1) * 1000
      expect(count).toBeGreaterThanOrEqual(1)
      expect(noticed).toBeLessThanOrEqual(ms * misses)
      expect(noticed).toBeGreaterThanOrEqual((ms * misses) / 2)
    }))
    expect(keepAlive(100, 2)).toEqual({ interval: 1, count: 1 })
  })
})

describe('the arguments of ssh', () => {
  it('never ask, and trust the pinned key alone', () => {
    const words = argumentsFor()
    expect(words.slice(0, 2)).toEqual(['-F', 'none'])
    expect(optionsOf(words)).toEqual(expect.arrayContaining([
      'BatchMode=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'StrictHostKeyChecking=yes', 'UpdateHostKeys=no', 'GlobalKnownHostsFile=/dev/null', 'HostKeyAlias=pinned',
      'UserKnownHostsFile="/p%%q/name.hosts"', 'IdentityFile="/keys/a b"', 'IdentityFile="/keys/%%d"', 'ConnectTimeout=2', 'ServerAliveInterval=12', 'ServerAliveCountMax=4',
    ]))
    expect(words[words.indexOf('-S') + 1]).toBe('/p%%q/name')
    expect(words.slice(-6)).toEqual(['-p', '22', '-l', 'builder', '--', '127.0.0.1'])
  })

  it('give each option once but for keys, so that what comes first counts', () => {
    for (const settings of [{}, { legacyAlgorithms: true }, { proxyJump: 'gate' }, { sshConfig: true }]) {
      const names = optionsOf(argumentsFor({ settings })).map((option) => option.split('=')[0]).filter((name) => name !== 'IdentityFile')
      expect(names).toEqual([...new Set(names)])
    }
  })

  it('leave the port to an ssh_config that counts, unless there is one', () => {
    expect(argumentsFor({ settings: { sshConfig: '/c' } })).not.toContain('-p')
    expect(argumentsFor({ settings: { sshConfig: '/c' } }).slice(0, 2)).toEqual(['-F', '/c'])
    expect(argumentsFor({ settings: { sshConfig: true } })).not.toContain('-F')
    expect(argumentsFor({ port: 2222, settings: { sshConfig: true } })).toContain('2222')
  })

  it('put no name of a machine where an option could be', () => {
    expect(argumentsFor({ name: '-oProxyCommand=x' }).slice(-2)).toEqual(['--', '-oProxyCommand=x'])
    expect(commandArguments(pathsIn('/f', 'n'), '/f/l', buildMachine({ hostKey: '', name: '-x' }), 'line').slice(-3)).toEqual(['--', '-x', 'line'])
  })

  it('go through a jump host as unattended as the rest', () => {
    const command = optionsOf(argumentsFor({ settings: { proxyJump: 'me@[fe80::1%eth0]:2222' } })).find((option) => option.startsWith('ProxyCommand='))
    expect(command).toMatch(/^ProxyCommand=\/bin\/ssh -F none -E \/p%%q\/name\.jump .*'BatchMode=yes'.*'StrictHostKeyChecking=yes'.* -l me -p 2222 -W '\[%h\]:%p' -- fe80::1%%eth0$/)
  })
})

describe('parseJump', () => {
  it.each([
    ['gate', [undefined, 'gate', undefined]],
    ['me@gate.example.org:2222', ['me', 'gate.example.org', '2222']],
    ['[fe80::1%eth0]', [undefined, 'fe80::1%eth0', undefined]],
    ['me@[::1]:22', ['me', '::1', '22']],
  ])('%s', (text, [user, host, port]) => {
    expect(parseJump(text)).toEqual({ user, host, port })
  })
})
