/** Plugins by somebody who has nothing but the packed package: compiled with their tests, tested with the conformance suites; the transport is then used by the program. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCli } from './run-cli.js'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const { devDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> }
let home: string
let plugin: string

const runIn = (folder: string, program: string, ...parameters: string[]): string => execFileSync(program, parameters, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const run = (program: string, ...parameters: string[]): string => runIn(plugin, program, ...parameters)

interface Report {
  readonly numTotalTests: number
  readonly numPassedTests: number
  readonly testResults: readonly { readonly assertionResults: readonly { readonly fullName: string }[] }[]
}

/** Runs a package's own tests and gives their names: all of them have passed. */
function conformance(folder: string): string[] {
  const file = join(folder, 'report.json')
  runIn(folder, 'npx', 'vitest', 'run', '--reporter=json', `--outputFile=${file}`)
  const { numTotalTests, numPassedTests, testResults } = JSON.parse(readFileSync(file, 'utf8')) as Report
  expect(numPassedTests).toBe(numTotalTests)
  return testResults.flatMap(({ assertionResults }) => assertionResults.map(({ fullName }) => fullName))
}

/** The sources that the guide for authors shows, to be compiled with the rest. */
function writeGuide(folder: string): void {
  const sources = [...readFileSync(join(checkout, 'plugins/README.md'), 'utf8').matchAll(/^```ts\n\/\/ ((?:src|test)\/\S+)\n(.*?)^```$/gms)]
  expect(sources.map(([, path]) => path)).toEqual(['src/contribute.ts', 'src/podman-transport.ts', 'test/conformance.test.ts', 'test/source.test.ts'])
  for (const part of ['src', 'test']) mkdirSync(join(folder, part), { recursive: true })
  for (const [, path = '', text = ''] of sources) writeFileSync(join(folder, path), text)
  writeFileSync(join(folder, 'src/inventory-source.d.ts'), "import type { MachineSource, PluginHost } from 'guix-offload/plugin-api'\nexport declare function inventorySource(host: PluginHost): MachineSource\n")
  const server = ['add(entry: object)', 'refuse()', 'saysNothing()', 'restore()', 'stop()'].map((method) => `${method}: Promise<void>`).join('; ')
  writeFileSync(join(folder, 'test/inventory.d.ts'), `export declare function startInventory(names: readonly string[]): Promise<{ readonly url: string; ${server} }>\n`)
  writeFileSync(join(folder, 'test/container.d.ts'), 'export declare function startContainer(folder: string): Promise<{ name: string, signal(name: NodeJS.Signals): Promise<void>, remove(): Promise<void> }>\n')
}

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'third-party-'))
  plugin = join(home, 'transport-local')
  cpSync(join(checkout, 'test/fixtures/plugins/transport-local'), plugin, { recursive: true })
  const tools = ['typescript', 'vitest', '@types/node'].map((name) => `${name}@${devDependencies[name] ?? ''}`)
  run('npm', 'install', '--save-dev', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', inject('tarball'), ...tools)
  writeGuide(join(plugin, 'guide'))
  run('npm', 'run', '--silent', 'build')
}, 120_000)
afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('a transport by somebody else', () => {
  it('passes the conformance suite of the packed package', () => {
    const names = conformance(plugin)
    expect(names).toContain('transport local aborted channels leave no command behind that writes')
    expect(names).toContain('transport local sockets hold the machine back when we do not read')
    expect(names.filter((name) => name.includes('refuses another host key'))).toEqual([])
  })

  it('is what the program uses when the configuration says so', async () => {
    const environment = { HOME: home, PATH: process.env['PATH'] ?? '', GUIX_OFFLOAD_PLUGINS: join(home, 'plugins') }
    const program = join(plugin, 'node_modules/.bin/guix-offload')
    expect((await runCli(['plugins', 'install', plugin], { program, environment })).stderr).toBe('')
    const machines = join(home, 'machines.scm')
    writeFileSync(machines, '(list (build-machine (name "here") (systems (list "x86_64-linux")) (user "me") (host-key "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")))')
    const config = join(home, 'offload.yaml')
    writeFileSync(config, 'transport: local\n')
    const { stdout } = await runCli(['test', '--json', machines], { program, environment: { ...environment, GUIX_OFFLOAD_CONFIG: config } })
    // No name server knows `here`: nothing else could have reached it.
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'here', steps: expect.arrayContaining([expect.objectContaining({ step: 'reach', outcome: 'ok' })]) as unknown }])
  })
})

describe.each([
  ['machines-consul', 'machine source consul gives up at once when aborted while nobody answers it, and within seconds otherwise'],
  ['scheduler-two-choices', 'strategy two-choices bears its name'],
])('%s by somebody else', (name, test) => {
  it('passes the conformance suite of the packed package', () => {
    const folder = join(home, name)
    cpSync(join(checkout, 'test/fixtures/plugins', name), folder, { recursive: true })
    // What the transport's package has installed serves here as well.
    symlinkSync(join(plugin, 'node_modules'), join(folder, 'node_modules'))
    runIn(folder, 'npm', 'run', '--silent', 'build')
    expect(conformance(folder)).toContain(test)
  })
})
