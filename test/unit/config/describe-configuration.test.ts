import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeConfiguration, hidden } from '../../../src/config/describe-configuration.js'
import { readEnvironment } from '../../../src/config/environment.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const describedIn = async (text: string, variables: Record<string, string> = {}, name = 'offload.yaml') => {
  const file = join(scratch(), name)
  writeFileSync(file, text)
  const { values, ...rest } = await describeConfiguration(readEnvironment({ GUIX_OFFLOAD_CONFIG: file, ...variables }))
  return { ...rest, file, values: Object.fromEntries(values.map(({ path, ...value }) => [path.join(' '), value])) }
}

it('every value has its origin: the file with its place, a variable, or nothing', async () => {
  const { file, values } = await describedIn('transport: lsh\nscheduler: random\nonUnreachable:\ntimeouts: { connect: 1500ms }\n', { GUIX_OFFLOAD_SCHEDULER: 'guix' })
  expect(values).toMatchObject({
    transport: { value: 'lsh', text: 'lsh', origin: { kind: 'file', file, position: { line: 1, column: 1 } } },
    scheduler: { value: 'guix', text: 'guix', origin: { kind: 'environment', variable: 'GUIX_OFFLOAD_SCHEDULER' } },
    // Left empty: as if it were not there.
    onUnreachable: { value: 'local', text: 'local', origin: { kind: 'default' } },
    'timeouts connect': { value: 1.5, text: '1500ms', origin: { kind: 'file', file, position: { line: 4, column: 13 } } },
  })
})

it('units are as they were given, and seconds and bytes for programs', async () => {
  const { values } = await describedIn('minimumFreeSpace: 0.5GiB\ntimeouts: { stall: 90s }\n')
  expect(values).toMatchObject({
    minimumFreeSpace: { value: 2 ** 29, text: '0.5GiB' }, 'timeouts stall': { value: 90, text: '90s' }, 'timeouts keepAlive': { value: 15, text: '15s' },
  })
})

it('machines and plugins are there key by key, in the file\'s order', async () => {
  const { file, values, patterns, sections } = await describedIn('machines:\n  "b*": { disabled: true, hostKeys: [k1, k2] }\n  b1:\nplugins: { x: { n: 5 }, y: 7 }\n')
  expect(values).toMatchObject({
    'machines b* disabled': { value: true, text: 'true', origin: { position: { line: 2, column: 11 } } }, 'machines b* hostKeys': { value: ['k1', 'k2'], text: 'k1, k2' },
    'plugins x n': { value: 5, text: '5' }, 'plugins y': { value: 7 },
  })
  expect(patterns).toEqual([
    { pattern: 'b*', origin: { kind: 'file', file, position: { line: 2, column: 3 } } }, { pattern: 'b1', origin: { kind: 'file', file, position: { line: 3, column: 3 } } },
  ])
  expect(sections.map(({ name }) => name)).toEqual(['x', 'y'])
})

it('what may be a secret does not get out', async () => {
  const described = await describedIn('plugins:\n  consul: { token: hunter2, url: "https://me:hunter2@h/", ca: /etc/ca.pem, deep: { a: hunter2 }, list: [hunter2], tls: true, port: 8500 }\n  other: hunter2\n')
  expect(JSON.stringify(described)).not.toContain('hunter2')
  expect(described.values).toMatchObject({
    'plugins consul token': { value: hidden, text: hidden }, 'plugins consul ca': { value: '/etc/ca.pem' }, 'plugins consul tls': { value: true }, 'plugins consul port': { value: 8500 },
    'plugins other': { value: hidden },
  })
})

it('a program has no places', async () => {
  const { file, values } = await describedIn('export default { transport: "lsh" }\n', {}, 'offload.js')
  expect(values.transport).toMatchObject({ value: 'lsh', origin: { kind: 'file', file, position: undefined } })
})
