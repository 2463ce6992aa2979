import { machineId } from '../machines/machine-id.js'
import type { OffloadPorts } from '../offload/ports.js'
import type { InputPorts } from '../scheduling/gather-inputs.js'
import type { LinkMemory } from '../state/link-memory.js'
import type { ItemMemory } from '../state/item-memory.js'

/** For strategies that need to know the inputs of builds: who tells, and who takes note of what was sent and built. Loaded for those alone. */
export async function inputPorts(ports: OffloadPorts, links: LinkMemory): Promise<{ readonly inputs: InputPorts; readonly items: ItemMemory }> {
  const [{ ItemMemory }, { inputSizes }, { expectedSeconds }] = await Promise.all([
    import('../state/item-memory.js'),
    import('../local-store/input-sizes.js'),
    import('../state/build-times.js'),
  ])
  const { log, stateDirectory } = ports
  const items = new ItemMemory(stateDirectory)
  const inputs: InputPorts = {
    log,
    sizes: (derivation, signal) => inputSizes(derivation, () => ports.openLocalStore(signal)),
    believed: (machine) => items.believed(machine),
    bytesPerSecond: (machine) => links.bytesPerSecond(machine),
    expectedSeconds(derivation, machines) {
      const speeds = new Map(machines.map((machine) => [machineId(machine), machine.speed]))
      return expectedSeconds(stateDirectory, derivation, (id) => speeds.get(id))
    },
  }
  return { inputs, items }
}
