import type { BuildMachine } from '../plugin-api/index.js'
import type { Slot, SlotCount, Slots } from './slots.js'

/** Slots as a selection finds them, found out without taking one: for those who want to know and must not be in anybody's way. */
export class SlotsLookedAt {
  constructor(private readonly slots: Slots) {}

  count(machine: BuildMachine): SlotCount {
    return this.slots.count(machine)
  }

  /**
   * A slot in name only if one is free.
   * @throws ConfigurationError `slots-unusable`
   */
  take(machine: BuildMachine): Slot | undefined {
    const obstacle = this.slots.obstacle(machine)
    if (obstacle !== undefined) throw this.slots.unusable(machine, obstacle, 'permission denied')
    const taken = new Set(this.slots.count(machine).taken.map(({ index }) => index))
    const files = this.slots.files(machine)
    const index = files.findIndex((_file, candidate) => !taken.has(candidate))
    const file = files[index]
    return file === undefined ? undefined : { machine, index, file, release() {} }
  }
}
