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

/** Packing builds first: what these tests start is never stale. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'guix-offload-pack-'))
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: ['ignore', 'ignore', 'pipe'] })
  const [tarball] = readdirSync(folder)
  if (tarball === undefined) throw new Error('npm pack has made nothing')
  project.provide('tarball', join(folder, tarball))
  return () => rmSync(folder, { recursive: true, force: true })
}
