/** The golden bundles; test/golden/README.md says what they are. */
import { readFileSync } from 'node:fs'

export interface GoldenItem {
  readonly path: string
  readonly deriver: string
  readonly references: readonly string[]
  readonly narHash: string
  readonly narSize: number
}

export const goldenVersions = ['guix-1.5.0', 'guix-1.2.0'] as const

export function golden(version: (typeof goldenVersions)[number], name: 'items.bundle' | 'signed.member' | 'unsigned.member' | 'hashes'): Buffer {
  return readFileSync(new URL(`../golden/${version}/${name}`, import.meta.url))
}

export function goldenItems(version: (typeof goldenVersions)[number]): readonly GoldenItem[] {
  return JSON.parse(readFileSync(new URL(`../golden/${version}/items.json`, import.meta.url), 'utf8')) as GoldenItem[]
}
