import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inReferenceOrder, type LocalItem } from '../../../src/local-store/missing-items.js'

const item = (path: string, references: readonly string[]): LocalItem => ({ path, info: { deriver: '', narHash: '', references, registrationTime: 0, narSize: 1 } })

describe('reference order', () => {
  it('puts references first, whatever the order given', () => {
    const acyclic = fc.integer({ min: 1, max: 30 }).chain((count) =>
      fc.tuple(
        fc.array(fc.array(fc.nat(count - 1), { maxLength: 5 }), { minLength: count, maxLength: count }),
        fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count }),
      ),
    )
    fc.assert(
      fc.property(acyclic, ([edges, order]) => {
        // Only smaller numbers are referred to, and oneself: no cycles.
        const items = edges.map((targets, index) => item(`/gnu/store/${index}`, targets.filter((target) => target <= index).map((target) => `/gnu/store/${target}`)))
        const ordered = inReferenceOrder(order.map((index) => items[index] ?? item('', [])))
        expect(ordered.map(({ path }) => path).sort()).toEqual(items.map(({ path }) => path).sort())
        const position = new Map(ordered.map(({ path }, index) => [path, index]))
        for (const { path, info } of ordered) {
          for (const reference of info.references) if (reference !== path) expect(position.get(reference)).toBeLessThan(position.get(path) ?? -1)
        }
      }),
    )
  })

  it('goes through a chain of 50,000 references without recursion', () => {
    const chain = Array.from({ length: 50_000 }, (_, index) => item(`/gnu/store/${index}`, index === 0 ? [] : [`/gnu/store/${index - 1}`]))
    expect(inReferenceOrder(chain.toReversed()).map(({ path }) => path)).toEqual(chain.map(({ path }) => path))
  })

  it('puts a derivation before what it made, though nothing refers to it', () => {
    const paths = ['/gnu/store/made', '/gnu/store/tools', '/gnu/store/made.drv']
    const [made, tools, derivation] = [item(paths[0] ?? '', []), item(paths[1] ?? '', []), item(paths[2] ?? '', [paths[1] ?? ''])]
    expect(inReferenceOrder([made, tools, derivation])).toEqual([tools, derivation, made])
  })

  it('ignores references to what is not sent', () => {
    expect(inReferenceOrder([item('/gnu/store/a', ['/gnu/store/elsewhere'])])).toHaveLength(1)
  })
})
