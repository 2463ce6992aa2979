import { describe, expect, it } from 'vitest'
import { listingComplete, listingWarnings } from '../../../src/commands/support/listing.js'
import { machinesJson, machinesLines } from '../../../src/commands/support/machines-report.js'
import { clockWarnings, humanSize, statusJson, statusLines } from '../../../src/commands/support/status-report.js'
import { plainStyle, styleFor } from '../../../src/commands/support/style.js'
import { testJson, testLines } from '../../../src/commands/support/test-report.js'
import { employmentJson, employmentLines } from '../../../src/commands/support/employment-report.js'
import type { HealthFacts } from '../../../src/scheduling/health.js'
import { dateAndTime } from '../../../src/scheduling/clock-time.js'
import type { Employment, MachineStatus, MachineTest } from '../../../src/offload/reports.js'
import type { BuildMachine } from '../../../src/plugin-api/index.js'

const machine: BuildMachine = {
  name: 'b1.example.org', port: 22, systems: ['x86_64-linux', 'i686-linux'], user: 'offload', hostKey: 'ssh-ed25519 AAAA', daemonSocket: '/var/guix/daemon-socket/socket',
  overloadThreshold: 0.8, parallelBuilds: 2, speed: 1.5, features: [], source: 'machines-scm', location: { file: '/etc/guix/machines.scm', line: 3, column: 4 },
}
const wellHealth: HealthFacts = { outlook: { state: 'well', slow: false } }
const isWell = () => wellHealth
const now = Date.parse('2026-05-01T10:00:00Z')
const disabled: HealthFacts = {
  disabled: { since: now, until: now + 7_200_000, by: 'ann' },
  outlook: { state: 'disabled', slow: false, reason: 'disabled until 12:00: by ann at 10:00' },
}
const setAside: HealthFacts = {
  setAside: { failures: 2, since: now - 60_000, at: now, until: now + 30_000, stage: 'reach', code: 'connect-timeout', reason: 'connecting: no answer within 10 s', passed: false },
  lastProbe: { at: now - 600_000, load: 0.5, cores: 2, normalizedLoad: 0.25, freeBytes: 5 * 2 ** 30 },
  outlook: { state: 'resting', slow: false, reason: 'set aside until 12:03:05: connecting: no answer within 10 s at 11:58:02' },
}
const listing = { warnings: [], failures: [], engines: { 'machines-scm': 'built-in' } }
const report = <T>(...machines: T[]) => ({ ...listing, machines })

describe('the list of machines', () => {
  it('is one line of tabs for each where no terminal is', () => {
    expect(machinesLines(report(machine), isWell, plainStyle)).toEqual([
      'b1.example.org:22\toffload\tx86_64-linux,i686-linux\t2\t1.5\t-\tmachines-scm\t/etc/guix/machines.scm:3:4',
    ])
  })

  it('is a table with headings on a terminal', () => {
    const lines = machinesLines(report(machine, { ...machine, name: 'b2', settings: { disabled: true } }), isWell, { ...plainStyle, table: true })
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/^MACHINE +USER +SYSTEMS/)
    expect(lines[2]).toMatch(/^b2:22 \(disabled\) +offload/)
    expect(new Set(lines.map((line) => line.search(/USER|offload/))).size).toBe(1)
  })

  it('has every key in JSON, null where nothing is said', () => {
    const { machines } = machinesJson(report(machine), isWell) as { machines: unknown }
    expect(machines).toEqual([{
      name: 'b1.example.org', port: 22, systems: ['x86_64-linux', 'i686-linux'], user: 'offload', privateKey: null, hostKey: 'ssh-ed25519 AAAA',
      compression: null, compressionLevel: 3, daemonSocket: '/var/guix/daemon-socket/socket', overloadThreshold: 0.8, parallelBuilds: 2, speed: 1.5, features: [],
      source: 'machines-scm', engine: 'built-in', location: { file: '/etc/guix/machines.scm', line: 3, column: 4 }, address: null, heardSecondsAgo: null, settings: {}, disabled: null, setAside: null,
    }])
  })

  it('says which are not used for now', () => {
    const health: Record<string, HealthFacts> = { b2: disabled, b3: setAside, b4: { ...disabled, disabled: { since: now } } }
    const listed = report(machine, { ...machine, name: 'b2' }, { ...machine, name: 'b3' }, { ...machine, name: 'b4' })
    const healthOf = ({ name }: BuildMachine) => health[name] ?? wellHealth
    expect(machinesLines(listed, healthOf, plainStyle).map((line) => line.split('\t')[0])).toEqual([
      'b1.example.org:22', `b2:22 (disabled until ${dateAndTime(now + 7_200_000)})`, 'b3:22 (set aside)', 'b4:22 (disabled)',
    ])
    expect(machinesJson(listed, healthOf)).toMatchObject({ machines: [
      { disabled: null, setAside: null },
      { disabled: { since: '2026-05-01T10:00:00.000Z', until: '2026-05-01T12:00:00.000Z', by: 'ann' } },
      { disabled: null, setAside: { failures: 2, until: '2026-05-01T10:00:30.000Z', lastError: { code: 'connect-timeout' } } },
      { disabled: { until: null, by: null } },
    ] })
  })

  it('has what went wrong beside them', () => {
    const wrong = {
      ...report(machine),
      warnings: [{ code: 'w', message: 'odd', location: { file: 'm.scm', line: 1, column: 2 }, dropped: true }],
      failures: [{ source: 'dns-sd', problem: { code: 'p', message: 'silent' } }],
    }
    expect(machinesJson(wrong, isWell)).toMatchObject({
      warnings: [{ code: 'w', message: 'odd', location: { file: 'm.scm', line: 1, column: 2 }, dropped: true }],
      failures: [{ source: 'dns-sd', code: 'p', message: 'silent' }],
    })
  })
})

describe('a test report', () => {
  const sound: MachineTest = { machine, warnings: [], steps: [{ step: 'reach', outcome: 'ok', ms: 400 }, { step: 'guix-version', outcome: 'ok', ms: 600, detail: '1.5.0' }] }
  const message = 'b1.example.org: logging in: refused. Authorise the key'
  const broken: MachineTest = {
    machine,
    warnings: ['20 builds on 12 GB'],
    steps: [
      { step: 'reach', outcome: 'ok', ms: 1 },
      { step: 'login', outcome: 'failed', ms: 250, problem: { code: 'authentication-refused', message, cure: 'Authorise the key' } },
      { step: 'daemon', outcome: 'skipped' },
    ],
  }

  it('has one line for a machine that is sound', () => {
    expect(testLines(report(sound), plainStyle)).toEqual(['b1.example.org:22: ok in 1.0 s (guix-version 1.5.0)'])
  })

  it('names the failing step and its cure, the machine once', () => {
    expect(testLines(report(broken), plainStyle)).toEqual([
      'b1.example.org:22: failed at login: logging in: refused. Authorise the key',
      '  warning: 20 builds on 12 GB',
    ])
  })

  it('does not call a machine sound that nothing was tested of', () => {
    expect(testLines(report({ machine, steps: [], warnings: [] }), plainStyle)).toEqual(['b1.example.org:22: not tested'])
  })

  it('counts in seconds in JSON', () => {
    expect(testJson(report(broken))).toEqual([{
      name: 'b1.example.org',
      port: 22,
      ok: false,
      warnings: ['20 builds on 12 GB'],
      steps: [
        { step: 'reach', outcome: 'ok', detail: null, seconds: 0.001, error: null },
        { step: 'login', outcome: 'failed', detail: null, seconds: 0.25, error: { code: 'authentication-refused', message, cure: 'Authorise the key' } },
        { step: 'daemon', outcome: 'skipped', detail: null, seconds: null, error: null },
      ],
    }])
  })
})

describe('a status report', () => {
  const condition = {
    kernel: 'Linux 6.1.0', architecture: 'x86_64', hostName: 'b1', normalizedLoad: 0.125, freeBytes: 5 * 1024 ** 3, timeDifferenceSeconds: -3,
    transport: { cipher: 'aes128-gcm@openssh.com' }, roundTripMs: 1.25, compressionReason: 'measured' as const, rung: 'bridge' as const,
  }
  const well: MachineStatus = { machine, health: wellHealth, freeSlots: 1, takenSlots: 1, condition }
  const away: MachineStatus = { machine, health: wellHealth, freeSlots: 2, takenSlots: 0, problem: { code: 'connection-refused', message: 'b1.example.org:22: connecting: refused' } }

  it('has the lines of guix offload status, in their words', () => {
    expect(statusLines(report(well), plainStyle).slice(0, 7)).toEqual([
      'b1.example.org', '  kernel: Linux 6.1.0', '  architecture: x86_64', '  host name: b1', '  normalized load: 0.13', '  free disk space: 5 GiB', '  time difference: -3 s',
    ])
  })

  it('tells the way to the store, or that there was none', () => {
    expect(statusLines(report(well), plainStyle)[7]).toBe('  connection: aes128-gcm@openssh.com, round trip 1.3 ms, daemon by bridge')
    expect(statusLines(report({ ...well, condition: { ...condition, rung: undefined } }), plainStyle)[7]).toMatch(/, daemon not reached$/)
  })

  it('goes on after a machine that does not answer', () => {
    expect(statusLines(report(away, well), plainStyle).slice(0, 4)).toEqual([
      'b1.example.org', '  problem: connecting: refused', '  build slots: 2 of 2 free', 'b1.example.org',
    ])
  })

  it('says what keeps a machine from being used, and how one that does not answer was when it last did', () => {
    const lines = (status: MachineStatus) => statusLines(report(status), plainStyle).slice(1)
    expect(lines({ ...away, health: setAside })).toEqual([
      '  problem: connecting: refused',
      '  not used: set aside until 12:03:05: connecting: no answer within 10 s at 11:58:02',
      `  last seen: ${dateAndTime(now - 600_000)}, normalized load 0.25, free disk space 5 GiB`,
      '  build slots: 2 of 2 free',
    ])
    expect(lines({ ...well, health: { ...setAside, outlook: { ...setAside.outlook, state: 'due' } } }).slice(-2)).toEqual([
      '  not used: set aside until 12:03:05: connecting: no answer within 10 s at 11:58:02; the next build tries it again',
      '  build slots: 1 of 2 free',
    ])
    expect(lines({ ...well, health: disabled })).toContain('  not used: disabled until 12:00: by ann at 10:00')
    expect(lines({ ...well, machine: { ...machine, settings: { disabled: true } } })).toContain('  not used: disabled in the configuration')
    expect(statusJson(report({ ...away, health: setAside }))).toMatchObject([{
      setAside: {
        until: '2026-05-01T10:00:30.000Z', since: '2026-05-01T09:59:00.000Z', failures: 2,
        lastError: { at: '2026-05-01T10:00:00.000Z', code: 'connect-timeout', message: 'connecting: no answer within 10 s' },
      },
      lastProbe: { at: '2026-05-01T09:50:00.000Z', normalizedLoad: 0.25, freeBytes: 5 * 2 ** 30 },
    }])
  })

  it('warns of a clock that is behind', () => {
    expect(clockWarnings(report(well, away))).toEqual(["machine 'b1.example.org' is 3 seconds behind"])
  })

  it('counts in seconds and bytes in JSON', () => {
    expect(statusJson(report(well, away))).toEqual([
      {
        name: 'b1.example.org', port: 22, kernel: 'Linux 6.1.0', architecture: 'x86_64', hostName: 'b1', normalizedLoad: 0.125, freeBytes: 5368709120,
        timeDifferenceSeconds: -3, roundTripSeconds: 0.00125, transport: { cipher: 'aes128-gcm@openssh.com' }, compressionReason: 'measured', rung: 'bridge', freeSlots: 1, takenSlots: 1, disabled: null, setAside: null,
        lastProbe: null, error: null, standing: 'used', address: null, heardSecondsAgo: null,
      },
      {
        name: 'b1.example.org', port: 22, kernel: null, architecture: null, hostName: null, normalizedLoad: null, freeBytes: null, timeDifferenceSeconds: null,
        roundTripSeconds: null, transport: null, compressionReason: null, rung: null, freeSlots: 2, takenSlots: 0, disabled: null, setAside: null, lastProbe: null,
        error: { code: 'connection-refused', message: 'b1.example.org:22: connecting: refused', cure: null }, standing: 'used', address: null, heardSecondsAgo: null,
      },
    ])
  })

  it.each([[0, '0 bytes'], [1023, '1023 bytes'], [1024, '1024 bytes'], [1025, '1 KiB'], [150 * 2 ** 20, '150 MiB'], [3.6 * 2 ** 40, '4 TiB']])('writes %d bytes as %s', (bytes, text) => {
    expect(humanSize(bytes)).toBe(text)
  })
})

describe('what became of machines that people spoke of', () => {
  const change = (before: HealthFacts, after: HealthFacts, running: Employment['running'] = { builds: 0, pids: [] }): Employment => ({ machine, before, after, running })
  const line = (employment: Employment) => employmentLines(report(employment))[0]?.replace(/^b1\.example\.org:22: /, '')

  it('is told in a line for each', () => {
    expect(line(change(wellHealth, disabled))).toBe('disabled until 12:00: by ann at 10:00; no build of this host runs there')
    expect(line(change(wellHealth, disabled, { builds: 1, pids: [7] }))).toBe('disabled until 12:00: by ann at 10:00; 1 build of this host still runs there (process 7)')
    expect(line(change(wellHealth, disabled, { builds: 2, pids: [] }))).toMatch(/; 2 builds of this host still run there$/)
    expect(line(change(wellHealth, wellHealth))).toBe('enabled; it was so before')
    expect(line(change(disabled, wellHealth))).toBe('enabled')
    expect(line(change(setAside, wellHealth))).toBe('enabled; it was set aside until 12:03:05: connecting: no answer within 10 s at 11:58:02')
    expect(line({ ...change(disabled, wellHealth), machine: { ...machine, settings: { disabled: true } } })).toBe('enabled, but the configuration file has it disabled')
  })

  it('is told in JSON', () => {
    expect(employmentJson(report(change(wellHealth, disabled, { builds: 1, pids: [7] })))).toMatchObject([
      { name: 'b1.example.org', port: 22, disabled: { by: 'ann' }, setAside: null, runningBuilds: 1, processes: [7] },
    ])
  })
})

describe('a listing', () => {
  const warning = { code: 'x', message: 'no host-key', location: { file: 'm.scm', line: 1, column: 2 } }

  it('tells its warnings with their place', () => {
    const failures = [{ source: 'dns-sd', problem: { code: 'y', message: 'no avahi' } }]
    expect(listingWarnings({ warnings: [warning], failures })).toEqual(['machine source dns-sd: no avahi', 'm.scm:1:2: no host-key'])
  })

  it('is complete unless something was left out', () => {
    expect(listingComplete({ warnings: [warning], failures: [] })).toBe(true)
    expect(listingComplete({ warnings: [{ ...warning, dropped: true }], failures: [] })).toBe(false)
    expect(listingComplete({ warnings: [], failures: [{ source: 's', problem: { code: 'y', message: 'm' } }] })).toBe(false)
  })
})

describe('style', () => {
  it.each([
    [false, {}, false, false],
    [true, {}, true, true],
    [true, { NO_COLOR: '1' }, true, false],
    [true, { NO_COLOR: '' }, true, true],
  ])('terminal %s, environment %j: table %s, colour %s', (terminal, environment, table, colour) => {
    const style = styleFor(terminal, environment)
    expect(style.table).toBe(table)
    expect(style.bad('x') !== 'x').toBe(colour)
  })
})
