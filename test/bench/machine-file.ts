/**
 * What reading a machine file adds to the hook's process, and what real Guile takes for the same file, in one run. `tsx test/bench/machine-file.ts [FILE] [ROUNDS]`.
 * The hook answers one request that no machine fits, with the file and without one, in turn; the difference is the file's.
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

async function milliseconds(command: readonly [string, ...string[]], options: Options = {}): Promise<number> {
  const started = performance.now()
  await execa(command[0], command.slice(1), options)
  return performance.now() - started
}

const folders = await Promise.all(['with', 'without'].map((name) => mkdtemp(join(tmpdir(), `machine-file-${name}-`))))
const [withFile = '', without = ''] = folders
try {
  await copyFile(file, join(withFile, 'machines.scm'))
  const hook = (folder: string): Promise<number> =>
    milliseconds([process.execPath, program, 'offload', 'x86_64-linux', '3600', 'true', '0'], {
      input: request, env: { PATH: '/usr/bin:/bin', GUIX_CONFIGURATION_DIRECTORY: folder }, extendEnv: false,
    })
  const samples = { with: [] as number[], without: [] as number[], node: [] as number[] }
  for (let round = 0; round <= rounds; round += 1) {
    const [a, b, c] = [await hook(withFile), await hook(without), await milliseconds([process.execPath, '-e', '0'])]
    // The first round fills the page cache.
    if (round === 0) continue
    samples.with.push(a)
    samples.without.push(b)
    samples.node.push(c)
  }
  const added = samples.with.map((value, index) => value - (samples.without[index] ?? 0))
  console.log(`node alone                  ${median(samples.node).toFixed(0).padStart(5)} ms`)
  console.log(`the hook without a file     ${median(samples.without).toFixed(0).padStart(5)} ms`)
  console.log(`the hook with the file      ${median(samples.with).toFixed(0).padStart(5)} ms`)
  console.log(`the file adds               ${median(added).toFixed(1).padStart(5)} ms (median of ${rounds} pairs)`)

  await using bed = await TestBed.up({ name: 'machine-file' })
  const machine = await bed.machine({ name: 'guile', daemon: 'none' })
  await copyFile(file, join(machine.rootDir, 'etc/guix/machines.scm'))
  await machine.writeFile('/run/read.scm', '(length ((@@ (guix scripts offload) build-machines)))\n')
  await machine.writeFile('/run/nothing.scm', '#t\n')
  const guile: number[] = []
  const nothing: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const run = async (script: string): Promise<number> => {
      const started = performance.now()
      await machine.run(['guix', 'repl', '-q', script])
      return performance.now() - started
    }
    guile.push(await run('/run/read.scm'))
    nothing.push(await run('/run/nothing.scm'))
  }
  console.log(`guix repl, the file         ${median(guile).toFixed(0).padStart(5)} ms`)
  console.log(`guix repl, nothing          ${median(nothing).toFixed(0).padStart(5)} ms`)
} finally {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
}
