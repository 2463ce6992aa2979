import { getEventListeners } from 'node:events'
import { expect } from 'vitest'
import type { BuildMachine } from '../../../src/plugin-api/index.js'
import type { Selection } from '../../../src/scheduling/machine-selector.js'
import type { FakeClock } from './fake-clock.js'
import type { FakeFarm } from './fake-farm.js'
import type { SharedMemory } from './fake-health.js'

interface Scene {
  readonly clock: FakeClock
  readonly farm: FakeFarm
  readonly memory: SharedMemory
  readonly signal: AbortSignal
}

/** Of a choice, undefined if it was stopped: the chosen machine's slot and connection are left, and nothing at all once they are released; every machine has its verdict. */
export async function expectNothingLeft({ clock, farm, memory, signal }: Scene, machines: readonly BuildMachine[], selection: Selection | undefined): Promise<void> {
  const chosen = selection?.kind === 'chosen' ? selection : undefined
  expect(farm.heldSlots).toEqual(new Set(chosen === undefined ? [] : [chosen.slot]))
  if (selection !== undefined) expect(selection.verdicts.map((verdict) => verdict.machine)).toEqual(machines)
  await clock.advance(120_000)
  expect(farm.open).toEqual(new Set(chosen === undefined ? [] : [chosen.connection]))
  await chosen?.release()
  expect([farm.open.size, farm.heldSlots.size, memory.trials.size, clock.pending, getEventListeners(signal, 'abort').length]).toEqual([0, 0, 0, 0, 0])
}
