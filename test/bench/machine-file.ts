/**
 * What reading a machine file adds to the hook's process, and what real Guile takes for the same file, in one run. `tsx test/bench/machine-file.ts [FILE] [ROUNDS]`.
 * The hook answers one request that no machine fits, with the file and without one, in turn; the difference is the file's. Processor time (user and system) is what
 * counts on a host that others use as well; the ratios take its speed out of the figures.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa, type Options } from 'execa'
import { TestBed } from '../testbed/bed.js'

const file = process.argv[2] ?? fileURLToPath(new URL('../fixtures/machines-scm/07-table.scm', import.meta.url))
const rounds = Number(process.argv[3] ?? 21)
const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const request = '0 armhf-linux /gnu/store/00000000000000000000000000000000-none.drv \n'

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN

interface Cost {
  /** Milliseconds. */
  readonly wall: number
  readonly processor: number
}

/** bash's own accounting of the finished command. */
const timed = (command: readonly string[]): [string, ...string[]] => ['bash', '--norc', '-c', 'TIMEFORMAT="%R %U %S"; { time "$@" >&3 2>&4; } 3>/dev/null 4>/dev/null', 'bash', ...command]

function costIn(stderr: string): Cost {
  const [real = NaN, user = NaN, system = NaN] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
  return { wall: real * 1000, processor: (user + system) * 1000 }
}

async function cost(command: readonly string[], options: Options = {}): Promise<Cost> {
  const [program, ...words] = timed(command)
  const { stderr } = await execa(program, words, options)
  return costIn(String(stderr))
}

const lines: [string, Cost][] = []
function report(what: string, costs: readonly Cost[]): Cost {
  const middle = { wall: median(costs.map(({ wall }) => wall)), processor: median(costs.map(({ processor }) => processor)) }
  lines.push([what, middle])
  return middle
}

const difference = (more: readonly Cost[], less: readonly Cost[]): Cost[] =>
  more.map(({ wall, processor }, index) => ({ wall: wall - (less[index]?.wall ?? NaN), processor: processor - (less[index]?.processor ?? NaN) }))

const folders = await Promise.all(['with', 'without'].map((name) => mkdtemp(join(tmpdir(), `machine-file-${name}-`))))
const [withFile = '', without = ''] = folders
try {
  await copyFile(file, join(withFile, 'machines.scm'))
  const hook = (folder: string): Promise<Cost> =>
    cost([process.execPath, program, 'offload', 'x86_64-linux', '3600', 'true', '0'], {
      input: request, env: { PATH: '/usr/bin:/bin', GUIX_CONFIGURATION_DIRECTORY: folder, GUIX_STATE_DIRECTORY: folder }, extendEnv: false,
    })
  await using bed = await TestBed.up({ name: 'machine-file' })
  const machine = await bed.machine({ name: 'guile', daemon: 'none' })
  await copyFile(file, join(machine.rootDir, 'etc/guix/machines.scm'))
  await machine.writeFile('/run/read.scm', '(length ((@@ (guix scripts offload) build-machines)))\n')
  await machine.writeFile('/run/nothing.scm', '#t\n')
  const guile = async (script: string): Promise<Cost> => costIn((await machine.run(timed(['guix', 'repl', '-q', script]))).stderr)

  const samples = { node: [] as Cost[], without: [] as Cost[], with: [] as Cost[], guileWithout: [] as Cost[], guileWith: [] as Cost[] }
  for (let round = 0; round <= rounds; round += 1) {
    const [a, b, c, d, e] = [await cost([process.execPath, '-e', '0']), await hook(without), await hook(withFile), await guile('/run/nothing.scm'), await guile('/run/read.scm')]
    // The first round fills the page cache.
    if (round === 0) continue
    samples.node.push(a)
    samples.without.push(b)
    samples.with.push(c)
    samples.guileWithout.push(d)
    samples.guileWith.push(e)
  }
  const node = report('node alone', samples.node)
  report('the hook without a file', samples.without)
  report('the hook with the file', samples.with)
  const added = report('the file adds', difference(samples.with, samples.without))
  report('guix repl, nothing', samples.guileWithout)
  const guileAll = report('guix repl, the file', samples.guileWith)
  const guileAdded = report('the file adds', difference(samples.guileWith, samples.guileWithout))
  console.log(`medians of ${rounds} rounds, in milliseconds:         wall  processor`)
  for (const [what, { wall, processor }] of lines) console.log(`  ${what.padEnd(40)}${wall.toFixed(1).padStart(9)}${processor.toFixed(1).padStart(11)}`)
  const ratio = (a: Cost, b: Cost): string => `${(a.wall / b.wall).toFixed(2).padStart(9)}${(a.processor / b.processor).toFixed(2).padStart(11)}`
  console.log(`  what the file adds here / node alone    ${ratio(added, node)}`)
  console.log(`  what it adds here / what it adds there  ${ratio(added, guileAdded)}`)
  console.log(`  what it adds here / Guile for the file  ${ratio(added, guileAll)}`)
} finally {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
}
