import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed package, made of the sources as they are now. */
    tarball: string
  }
}

/**
 * Packing builds first: what these tests start is never stale. A run of all suites has packed before it started them, and says so in `GUIX_OFFLOAD_TARBALL`: packing
 * again would take the built program away from under the others.
 */
export function setup(project: TestProject): (() => void) | undefined {
  const packed = process.env.GUIX_OFFLOAD_TARBALL ?? ''
  if (packed !== '') {
    project.provide('tarball', packed)
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'guix-offload-pack-'))
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: ['ignore', 'ignore', 'pipe'] })
  const [tarball] = readdirSync(folder)
  if (tarball === undefined) throw new Error('npm pack has made nothing')
  project.provide('tarball', join(folder, tarball))
  return () => rmSync(folder, { recursive: true, force: true })
}
