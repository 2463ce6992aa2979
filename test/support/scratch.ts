import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { removeTree } from '../../src/local-store/remove.js'

/** A folder for the test that asks; removed after it. */
export function scratchFolders(): () => string {
  const made: string[] = []
  afterEach(() => {
    for (const folder of made.splice(0)) removeTree(folder)
  })
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'guix-offload-test-'))
    made.push(folder)
    return folder
  }
}
