/** What the builder prints on the other machine reaches the client: at once, byte for byte, and no faster than it is read. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { buildersWith, hookProcesses, logBytes, uniqueMarker } from '../support/master-view.js'
import { buildDerivation } from '../testbed/derivations.js'
import { processRow, signalProcess } from '../testbed/processes.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm

beforeAll(async () => {
  farm = await startFarm({ name: 'logs', builders: [{ name: 'b1', fields: { parallelBuilds: 4 } }] })
})

afterAll(() => farm[Symbol.asyncDispose]())

it('shows a line while its builder still runs', async () => {
  let seen = ''
  const marker = uniqueMarker()
  const script = `${marker}; echo an early line; sleep 3; echo a late line; echo > $out`
  const building = buildDerivation(farm.master, { name: 'live', script }, { onLog: (text) => (seen += text) })
  await waitFor('the early line', () => seen.includes('an early line\n'), 20_000)
  expect(await buildersWith(marker)).not.toEqual([])
  expect(seen).not.toContain('a late line')
  const { failure, log } = await building
  expect(failure).toBeUndefined()
  expect(log).toContain('a late line\n')
})

it('passes on bytes that are no text, lines of any length and a last line without an end', async () => {
  const script = [
    String.raw`printf 'caf\303\251 \377\376 \000 \r\033[1mbold\033[0m\ttab\r\n'`,
    // What only the hook's own channel may say means nothing in a log.
    'echo "# decline"',
    'echo "@ build-remote nothing nowhere"',
    `head -c 300000 /dev/zero | tr '\\0' 'x'`,
    'echo',
    'for i in $(seq 1 256); do printf "\\\\$(printf %o $((i % 256)))"; done',
    'printf "no newline at the end"',
    'echo > $out',
  ].join('\n')
  const { drv, failure } = await buildDerivation(farm.master, { name: 'bytes', script })
  expect(failure).toBeUndefined()
  const expected = Buffer.concat([
    Buffer.from('caf\xc3\xa9 \xff\xfe \x00 \r\x1b[1mbold\x1b[0m\ttab\r\n# decline\n@ build-remote nothing nowhere\n', 'latin1'),
    Buffer.alloc(300_000, 'x'),
    Buffer.from('\n'),
    Buffer.from(Array.from({ length: 256 }, (_, index) => (index + 1) % 256)),
    Buffer.from('no newline at the end'),
  ])
  expect((await logBytes(farm.master, drv)).equals(expected)).toBe(true)
})

it('holds a builder that prints faster than the client reads, in constant memory', async () => {
  const mebibytes = 48
  const line = 'fifteen bytes..\n'
  const marker = uniqueMarker()
  const script = `${marker}; yes 'fifteen bytes..' | head -c ${mebibytes * 2 ** 20}; echo > $out`
  let seen = 0
  const building = buildDerivation(farm.master, { name: 'chatty', script }, { onLog: (text) => (seen += text.length) })
  await waitFor('the first output', () => seen > 10_000, 20_000)
  const client = (await farm.master.processes()).find(({ command }) => command.some((word) => word.includes('testbed-derivations')) && !command.includes('setpriv'))
  if (client === undefined) throw new Error('No client runs')
  signalProcess(client.hostPid, 'SIGSTOP')
  try {
    await new Promise((resolve) => setTimeout(resolve, 2500))
    const [hook] = await hookProcesses(farm.master)
    if (hook === undefined) throw new Error('No hook runs')
    // Held, not failed and not done: what is under way fits into a few buffers.
    expect(await buildersWith(marker)).not.toEqual([])
    expect(hook.peakMebibytes).toBeLessThan(200)
  } finally {
    signalProcess(client.hostPid, 'SIGCONT')
    // The door into the machine, which stops with what it waits for.
    signalProcess((await processRow(client.hostPid))?.parent ?? 0, 'SIGCONT')
  }
  const { drv, failure } = await building
  expect(failure).toBeUndefined()
  const log = await logBytes(farm.master, drv)
  expect(log.length).toBe(mebibytes * 2 ** 20)
  const whole = createHash('sha256').update(Buffer.alloc(mebibytes * 2 ** 20, line)).digest('hex')
  expect(createHash('sha256').update(log).digest('hex')).toBe(whole)
})
