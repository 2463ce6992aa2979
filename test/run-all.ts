/**
 * `npm test` and `.ci/run`: everything, from nothing. Installs the Debian packages that the suites need (saying which), builds, checks types and
 * lint, runs every suite, and ends with one line: `N passed, N failed`. With CI set a skipped test counts as a failure.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { ensureHostTools, ensureServers } from './testbed/host-tools.js'

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly { readonly status: string; readonly name: string; readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[]
}

const root = new URL('..', import.meta.url).pathname
const ci = process.env['CI'] !== undefined && process.env['CI'] !== ''
let passed = 0
let failed = 0

async function step(title: string, command: string, args: readonly string[]): Promise<boolean> {
  process.stdout.write(`\n== ${title}\n`)
  const started = Date.now()
  const result = await execa(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], reject: false, preferLocal: true, localDir: root })
  process.stdout.write(`== ${title}: ${result.exitCode === 0 ? 'ok' : 'FAILED'} (${Math.round((Date.now() - started) / 1000)} s)\n`)
  return result.exitCode === 0
}

async function check(title: string, command: string, args: readonly string[]): Promise<boolean> {
  const ok = await step(title, command, args)
  if (ok) passed += 1
  else failed += 1
  return ok
}

async function suites(projects: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-report-'))
  const file = join(folder, 'report.json')
  try {
    const ok = await step(`suites: ${projects.join(', ')}`, 'vitest', [
      'run', '--config', '.config/vitest.config.ts', '--reporter=default', '--reporter=./.config/failures-at-once.ts', '--reporter=json', `--outputFile.json=${file}`,
      ...projects.flatMap((project) => ['--project', project]),
    ])
    const report = JSON.parse(await readFile(file, 'utf8')) as Report
    passed += report.numPassedTests
    failed += report.numFailedTests
    // A file that failed to load has no failed tests of its own.
    const broken = report.testResults.filter((result) => result.status === 'failed' && result.assertionResults.every((test) => test.status !== 'failed'))
    failed += broken.length
    for (const result of broken) process.stdout.write(`did not run: ${result.name}\n`)
    const skipped = report.numPendingTests + report.numTodoTests
    if (skipped > 0) {
      const names = report.testResults.flatMap((result) => result.assertionResults.filter((test) => ['skipped', 'pending', 'todo'].includes(test.status)))
      for (const test of names) process.stdout.write(`skipped: ${test.fullName}\n`)
      if (ci) failed += skipped
    }
    if (!ok && report.numFailedTests === 0 && broken.length === 0) failed += 1
  } catch (error) {
    process.stdout.write(`no report from the suites: ${String(error)}\n`)
    failed += 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Builds everything and packs it, once for all suites. */
async function pack(): Promise<boolean> {
  if (!(await check('build and pack', 'npm', ['pack', '--silent', '--pack-destination', scratch]))) return false
  const [tarball] = await readdir(scratch)
  if (tarball === undefined) return false
  process.env['GUIX_OFFLOAD_TARBALL'] = join(scratch, tarball)
  return true
}

const scratch = await mkdtemp(join(tmpdir(), 'guix-offload-test-'))
try {
  await ensureHostTools()
  await ensureServers()
  if (await pack()) {
    await check('types of the tests', 'tsc', ['-p', 'test/tsconfig.json'])
    await check('lint', 'npm', ['run', '--silent', 'lint'])
    await suites(['unit', 'cli', 'conformance', 'testbed', 'integration'])
  }
} finally {
  await rm(scratch, { recursive: true, force: true })
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
