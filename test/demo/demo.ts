/**
 * `npm run demo`: the main job on real machines, told to somebody who has never seen Guix. Everything below is the program's and the daemons' own output
 * or read from their stores; nothing is assumed to have worked. Exit status 1 if anything is not as it should be.
 */
import { styleText } from 'node:util'
import { checkoutInMachine, nodeInMachine, TestBed } from '../testbed/bed.js'
import { buildDerivations, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

const program = [nodeInMachine, `${checkoutInMachine}/bin/run.js`]
const colour = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''
const bold = (text: string): string => (colour ? styleText('bold', text) : text)
const dim = (text: string): string => (colour ? styleText('dim', text) : text)
const problems: string[] = []
let chapters = 0

const say = (text = ''): void => void process.stdout.write(`${text}\n`)
const chapter = (title: string, ...explanation: string[]): void => {
  chapters += 1
  say(`\n${bold(`${chapters}. ${title}`)}`)
  for (const line of explanation) say(`   ${line}`)
  say()
}
const indented = (text: string): void => {
  for (const line of text.trimEnd().split('\n')) say(`   ${dim('|')} ${line}`)
}
const expect = (holds: boolean, claim: string): void => {
  say(`   ${holds ? 'ok' : 'NOT OK'}: ${claim}`)
  if (!holds) problems.push(claim)
}

async function command(machine: Machine, ...words: string[]): Promise<void> {
  say(`   ${dim(`${machine.name}#`)} guix-offload ${words.join(' ')}`)
  const result = await machine.run([...program, ...words], { reject: false })
  indented(`${String(result.stdout)}${String(result.stderr)}`)
  expect(result.exitCode === 0, `guix-offload ${words.join(' ')} ended with status ${result.exitCode}`)
}

/** `left` and `right` can be built side by side, `both` needs the two, `broken` fails on purpose. */
const left: DerivationSpec = { name: 'left', script: 'echo "left: working"; sleep 2; echo left > $out' }
const right: DerivationSpec = { name: 'right', script: 'echo "right: working"; sleep 2; echo right > $out' }
const both: DerivationSpec = { name: 'both', inputs: { left, right }, script: 'echo "both: joining"; cat $left $right > $out; echo made of $left and $right >> $out' }
const broken: DerivationSpec = { name: 'broken', script: 'echo "broken: about to fail, as intended"; exit 1' }
const graph = [left, right, both, broken]

const nameOf = (path: string): string => path.replace(/^\/gnu\/store\/[a-z0-9]{32}-/, '').replace(/\.drv$/, '')
const shortened = (line: string): string => line.replaceAll(/\/gnu\/store\/([a-z0-9]{32})-/g, (_path, hash: string) => `/gnu/store/${hash.slice(0, 6)}…-`)

interface Entry {
  readonly time: string
  readonly derivation: string
  readonly machine: string
  readonly outcome: string
  readonly seconds: Readonly<Record<string, number | undefined>>
}

/** Whether the two offloads were under way at the same moment. */
function overlap(entries: readonly Entry[], one: string, other: string): boolean {
  const spans = [one, other].map((name) => {
    const entry = entries.find(({ derivation }) => nameOf(derivation) === name)
    if (entry === undefined) return { start: Infinity, end: -Infinity }
    const end = Date.parse(entry.time) / 1000
    return { end, start: end - Object.values(entry.seconds).reduce<number>((sum, seconds) => sum + (seconds ?? 0), 0) }
  })
  const [a, b] = spans
  return a !== undefined && b !== undefined && a.start < b.end && b.start < a.end
}

async function run(bed: TestBed): Promise<void> {
  chapter('Three machines on this computer', 'Each has its own file system, network address, store, guix-daemon and keys.', 'The master builds nothing itself; alpha and beta build for it. guix-daemon runs as a user of its own.')
  const [master, alpha, beta] = await Promise.all([
    bed.machine({ name: 'master', daemon: 'unprivileged', maxJobs: 0 }),
    bed.machine({ name: 'alpha', daemon: 'unprivileged', sshd: true }),
    bed.machine({ name: 'beta', daemon: 'unprivileged', sshd: true }),
  ])
  for (const builder of [alpha, beta]) await bed.authorize(master, builder)
  await writeMachinesScm(master, [alpha, beta], { parallelBuilds: 2 })
  for (const machine of [master, alpha, beta]) say(`   ${machine.name.padEnd(7)} ${machine.address.padEnd(12)} Guix ${machine.guix}`)
  say('\n   The master knows the other two from /etc/guix/machines.scm:')
  indented(await master.readFile('/etc/guix/machines.scm'))

  chapter('Set up', 'guix-daemon starts the program that its environment variable GUIX names: `setup` makes that a wrapper.')
  await command(master, 'setup')
  const wrapper = /GUIX=(\S+?)["'\s]/.exec(`${String((await master.run([...program, 'setup', '--dry-run'], { reject: false })).stdout)} `)?.[1] ?? '/usr/local/libexec/guix-offload/guix'
  master.daemon.configure({ hook: wrapper, maxJobs: 0 })
  await master.daemon.restart()
  say(`   guix-daemon runs on master now, with GUIX=${wrapper} and --max-jobs=0.`)

  chapter('Do the machines work?')
  await command(master, 'test')
  await command(master, 'status')

  chapter('Build', 'The master is asked for `both`, which needs `left` and `right`, and for `broken`, which fails on purpose.', 'What follows is what the user sees, as it comes.')
  let pending = ''
  const outcome = await buildDerivations(master, graph, {
    keepGoing: true,
    printBuildTrace: false,
    onLog(text) {
      const lines = `${pending}${text}`.split('\n')
      pending = lines.pop() ?? ''
      for (const line of lines) indented(shortened(line))
    },
  })
  say()
  const outputOf = (name: string): string | undefined => outcome.derivations.find(({ drv }) => nameOf(drv) === name)?.outputs['out']

  chapter('Where it was built, and how long each step took', 'From the history that the hook keeps; seconds.')
  const text = await master.sh('cat /var/guix/offload/history.jsonl')
  const entries = text.trim().split('\n').map((line) => JSON.parse(line) as Entry)
  const row = (...cells: string[]): string => `   ${cells.map((cell, index) => (index < 3 ? cell.padEnd(14) : cell.padStart(8))).join('')}`
  const phases = ['select', 'send', 'build', 'fetch'] as const
  say(row('derivation', 'machine', 'outcome', ...phases))
  for (const { derivation, machine, outcome: end, seconds } of entries) {
    say(row(nameOf(derivation), machine, end, ...phases.map((phase) => seconds[phase]?.toFixed(2) ?? '-')))
  }
  say()
  const machineOf = (name: string): string | undefined => entries.find(({ derivation }) => nameOf(derivation) === name)?.machine
  expect(['left', 'right', 'both'].every((name) => entries.some((entry) => nameOf(entry.derivation) === name && entry.outcome === 'built')), 'left, right and both were built by alpha and beta')
  expect(overlap(entries, 'left', 'right'), `left and right ran side by side (on ${machineOf('left')} and ${machineOf('right')})`)
  expect(entries.some((entry) => nameOf(entry.derivation) === 'broken' && entry.outcome === 'build-failed'), 'broken failed where it was built')
  expect(outcome.failure?.status === 100, `and guix-daemon reports that as a permanent failure (status ${outcome.failure?.status}): ${shortened(outcome.failure?.message ?? '')}`)

  chapter('Is everything in its place?')
  const result = outputOf('both') ?? ''
  say(`   ${result}`)
  indented(await master.readFile(result))
  const references = (await master.guixCommand(['gc', '--references', result])).stdout
  expect(references.includes(outputOf('left') ?? '?') && references.includes(outputOf('right') ?? '?'), 'the master knows that both refers to left and right')
  const verified = await master.guixCommand(['gc', '--verify=contents'], { reject: false })
  expect(verified.exitCode === 0, 'guix gc --verify=contents finds every item of the master intact')
  const left_ = await master.sh('ls -A /gnu/store | grep ^guix-offload- || true')
  expect(left_ === '', 'no temporary file is left in the store')
}

const started = Date.now()
say(bold('guix-offload: builds go to other machines'))
const bed = await TestBed.up({ name: 'demo' })
try {
  await run(bed)
} catch (error) {
  problems.push(String(error))
  say(`\n   NOT OK: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
} finally {
  await bed.down()
}
say(`\nThe machines are gone again. ${problems.length === 0 ? 'Everything was as it should be' : `${problems.length} things were not as they should be`} (${Math.round((Date.now() - started) / 1000)} s).`)
process.exitCode = problems.length === 0 ? 0 : 1
