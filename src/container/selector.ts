import type { Configuration } from '../config/configuration.js'
import type { DecidePorts } from '../offload/decide.js'
import type { OffloadPorts } from '../offload/ports.js'
import type { MachineSelector, SelectionPorts } from '../scheduling/machine-selector.js'
import { connector } from './parts.js'
import { tokens, type Root } from './tokens.js'

interface SelectorParts {
  readonly slotFiles: SelectionPorts['slots']
  readonly memory: SelectionPorts['health']
  readonly ports: OffloadPorts
}

/** What chooses a machine, for the hook and for those who ask what it would choose; and who takes note of items, where the strategy wants to know of them. */
export async function selectorOver(root: Root, { slotFiles, memory, ports }: SelectorParts): Promise<{ readonly selector: MachineSelector; readonly items: DecidePorts['items'] }> {
  const [{ MachineSelector, defaultSelectionPolicy }, { systemClock }, { LinkMemory }, { minimumFreeSpaceBytes }, strategy, connect] = await Promise.all([
    import('../scheduling/machine-selector.js'),
    import('../scheduling/clock.js'),
    import('../state/link-memory.js'),
    root.resolve(tokens.configuration),
    root.resolve(tokens.schedulingStrategy),
    connector(root),
  ])
  const { inputs, items } = strategy.needs?.inputs === true ? await (await import('./input-ports.js')).inputPorts(ports, new LinkMemory(ports.stateDirectory)) : {}
  const selector = new MachineSelector(
    { connect, slots: slotFiles, strategy, clock: systemClock, random: () => Math.random(), health: memory, inputs },
    { ...defaultSelectionPolicy, storeDirectory: ports.storeDirectory, minimumFreeBytes: minimumFreeSpaceBytes },
  )
  return { selector, items }
}

/** A little more than a connect time-out, so that the first machine's own account of what is wrong arrives. */
export function patienceMs({ timeouts }: Configuration): number {
  return timeouts.connectMs + 250
}
