import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { BuildMachine, MachineList, OffloadFailure, SchemeDatum } from '../../src/plugin-api/index.js'
import { errorFactory } from '../../src/errors/error-factory.js'
import { schemeToolkit } from '../../src/scheme/toolkit.js'
import { createSource } from '../../plugins/machines-scm/src/source.js'
import { contextFor, fixture, hostFor } from '../unit/machines-scm/host.js'
import { worldOf } from '../unit/scheme/run.js'
import { guixRoot, inGuix } from '../support/guix-overlay.js'
import { describeOnBed } from '../testbed/describe-on-bed.js'

const VERSION = '1.5.0'

const folder = dirname(fixture('x'))
const files = (await readdir(folder)).filter((name) => name.endsWith('.scm')).sort()

/** What this project refuses and stock takes, to fail later. */
const STRICTER = new Set(['err-wrong-types.scm'])

type Verdict = { machines: Record<string, SchemeDatum>[] } | { value: string } | { failed: string; line: bigint | false; column: bigint | false }

function verdict(datum: SchemeDatum): Verdict {
  const [tag, ...rest] = datum as SchemeDatum[]
  const name = (item: SchemeDatum | undefined): string => (typeof item === 'object' && 'kind' in item && item.kind === 'symbol' ? item.text : '')
  switch (name(tag)) {
    case 'machines': return { machines: rest.map((fields) => Object.fromEntries((fields as SchemeDatum[][]).map(([field, value]) => [name(field), value as SchemeDatum]))) }
    case 'value': return { value: rest[0] as string }
    default: return { failed: name(rest[0]), line: rest[1] as bigint | false, column: rest[2] as bigint | false }
  }
}

const real = (datum: SchemeDatum | undefined): unknown => (typeof datum === 'bigint' ? Number(datum) : typeof datum === 'object' && 'number' in datum ? datum.number : datum)

/** Guile's fields in this project's terms. */
function expected(fields: Record<string, SchemeDatum>): Record<string, unknown> {
  const [line, column] = fields.location as [bigint, bigint]
  return {
    name: fields.name, port: real(fields.port), user: fields.user, hostKey: (fields['host-key'] as string).trim(), systems: fields.systems === false ? [fields.system] : fields.systems,
    privateKey: fields['private-key'], compression: fields.compression, compressionLevel: real(fields['compression-level']), daemonSocket: fields['daemon-socket'],
    overloadThreshold: fields['overload-threshold'] === false ? null : real(fields['overload-threshold']), parallelBuilds: real(fields['parallel-builds']), speed: real(fields.speed),
    features: fields.features, line: Number(line), column: Number(column),
  }
}

function seen(machine: BuildMachine): Record<string, unknown> {
  const { source: _source, location, ...rest } = machine
  return {
    ...rest, privateKey: machine.privateKey ?? '/root/.ssh/id_rsa', compression: machine.compression ?? 'zlib@openssh.com,zlib', compressionLevel: machine.compressionLevel ?? 3,
    line: location?.line, column: location?.column,
  }
}

const ours = (name: string): Promise<MachineList | OffloadFailure> =>
  createSource(hostFor([], { guix: false })).list({ ...contextFor(fixture(name)), homeDirectory: '/root' }).catch((error: unknown) => {
    if (errorFactory.is(error)) return error
    throw error
  })

describeOnBed('machine files mean to us what they mean to Guix', () => {
  const verdicts = new Map<string, Verdict>()
  beforeAll(async () => {
    const root = await guixRoot(VERSION)
    const output = await inGuix(root, folder, ['guix', 'repl', '-q', '--', join(folder, 'oracle.guile'), ...files.map((name) => join(folder, name))])
    const lines = output.split('\n').filter((line) => line.startsWith('@@'))
    expect(lines).toHaveLength(files.length)
    for (const [at, line] of lines.entries()) {
      const outcome = await schemeToolkit.evaluate({ text: `'${line.slice(2)}`, file: 'oracle' }, worldOf())
      if (outcome.failure !== undefined) throw new Error(`${files[at]}: ${outcome.failure.problem}`)
      verdicts.set(files[at] ?? '', verdict(outcome.value))
    }
  })

  test('there are files enough', () => {
    expect(files.length).toBeGreaterThan(80)
  })

  test.each(files)('%s', async (name) => {
    const theirs = verdicts.get(name)
    const result = await ours(name)
    if (theirs === undefined) throw new Error('the oracle said nothing')
    if ('machines' in theirs) {
      if (STRICTER.has(name)) {
        expect(result).toMatchObject({ machines: [], warnings: [{ dropped: true }, { dropped: true }, { dropped: true }, { dropped: true }, {}] })
        return
      }
      if ('report' in result) throw result
      expect(result.engine).toBe('built-in')
      expect(result.machines.map(seen)).toEqual(theirs.machines.map(expected))
    } else if ('value' in theirs) {
      expect(result).toMatchObject({ machines: [], warnings: [{ code: 'machine-file-not-a-list', dropped: true }] })
    } else {
      expect(result).toHaveProperty('report.subject')
      if (theirs.line !== false) expect((result as OffloadFailure).report.subject).toBe(`${fixture(name)}:${theirs.line}:${theirs.column}`)
    }
  })
})
