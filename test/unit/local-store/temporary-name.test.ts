import { expect, test } from 'vitest'
import { temporaryStorePath } from '../../../src/local-store/temporary-name.js'

test('temporary names lie directly in the store and never come twice', () => {
  const names = Array.from({ length: 1000 }, () => temporaryStorePath('/gnu/store'))
  expect(new Set(names).size).toBe(1000)
  for (const name of names) expect(name).toMatch(/^\/gnu\/store\/guix-offload-[0-9a-f]{32}$/)
})
