import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url))
// The longer name first: the other is its beginning.
const alias = { 'guix-offload/plugin-api/testing': source('plugin-api/testing/index.ts'), 'guix-offload/plugin-api': source('plugin-api/index.ts') }

/**
 * `unit` and `golden` run in seconds and touch nothing outside a temporary folder; `testbed`, `cli`, `conformance` and `integration`
 * start real daemons and servers and need root on Debian.
 */
const project = (name: string, timeout: number, fileParallelism: boolean, globalSetup: string[] = []) => ({
  root,
  resolve: { alias },
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeout, hookTimeout: timeout, fileParallelism, globalSetup, pool: 'forks' as const },
})

export default defineConfig({
  root,
  test: {
    // Most of them wait for machines, not for a processor.
    maxWorkers: 2,
    projects: [
      project('unit', 20_000, true),
      project('cli', 60_000, true, ['test/cli/build.ts']),
      project('conformance', 120_000, true),
      project('testbed', 600_000, false),
      project('integration', 600_000, true),
    ],
  },
})
