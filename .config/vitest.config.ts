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
const project = (name: string, timeout: number, fileParallelism: boolean, globalSetup: string[] = [], retry = 0) => ({
  root,
  resolve: { alias },
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeout, hookTimeout: timeout, fileParallelism, globalSetup, retry, pool: 'forks' as const },
})

export default defineConfig({
  root,
  test: {
    projects: [
      project('unit', 20_000, true),
      project('cli', 60_000, true, ['test/cli/build.ts']),
      project('conformance', 120_000, true),
      project('testbed', 600_000, false),
      // Real daemons on a machine that does other things besides: one more try tells a busy moment from a fault. The report shows what needed it.
      project('integration', 600_000, true, [], 0),
    ],
  },
})
