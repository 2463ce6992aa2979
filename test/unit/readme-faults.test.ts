/** The README's table of faults calls things by their names: each code in brackets is one that the program uses. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const section = /^## What happens when…\n([^]*?)^## /m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? ''

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true }).flatMap((entry) => (entry.isFile() && entry.name.endsWith('.ts') ? [readFileSync(join(entry.parentPath, entry.name), 'utf8')] : []))
const plugins = readdirSync(join(root, 'plugins'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(root, 'plugins', name, 'src'))
const source = [join(root, 'src'), ...plugins].flatMap(sourcesIn).join('\n')

const rows = section.split('\n').filter((line) => line.startsWith('| ')).slice(2)
const codes = [...new Set([...rows.join('\n').matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, code]) => code ?? ''))]

describe('the table of faults', () => {
  it('has five columns in every row', () => {
    expect(rows.length).toBeGreaterThan(10)
    for (const row of rows) expect(row.split('|'), row).toHaveLength(7)
  })

  it('names codes', () => expect(codes.length).toBeGreaterThan(15))

  it.each(codes)('%s is a code of the program', (code) => {
    expect(source).toContain(`'${code}'`)
  })

  it('quotes messages as they are', () => {
    const move = readFileSync(join(root, 'src/offload/offload-derivation.ts'), 'utf8')
    for (const piece of ["' failed (", "); trying '"]) {
      expect(section).toContain(piece)
      expect(move).toContain(piece)
    }
    expect(section).toContain("' offloaded to 'b1' failed: ")
    expect(readFileSync(join(root, 'src/offload/messages.ts'), 'utf8')).toContain("' offloaded to '")
  })
})
