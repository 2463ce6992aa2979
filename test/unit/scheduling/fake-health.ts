import type { BuildMachine } from '../../../src/plugin-api/index.js'
import { Health } from '../../../src/scheduling/health.js'
import type { Disabled } from '../../../src/state/disabled-files.js'
import type { HealthStore, LastProbe, Slowness, Trouble } from '../../../src/state/health-files.js'
import type { Clock } from '../../../src/scheduling/clock.js'

/** What hook processes share, without files; each of them has a {@link Health} of its own. */
export class SharedMemory implements HealthStore {
  readonly troubles = new Map<string, Trouble>()
  readonly slow = new Map<string, Slowness>()
  readonly probes = new Map<string, LastProbe>()
  readonly disabled = new Map<string, Disabled>()
  readonly trials = new Set<string>()

  trouble({ name }: { name: string }) {
    return this.troubles.get(name)
  }

  setTrouble({ name }: { name: string }, trouble: Trouble | undefined) {
    if (trouble === undefined) this.troubles.delete(name)
    else this.troubles.set(name, trouble)
  }

  slowness({ name }: { name: string }) {
    return this.slow.get(name)
  }

  setSlowness({ name }: { name: string }, slowness: Slowness | undefined) {
    if (slowness === undefined) this.slow.delete(name)
    else this.slow.set(name, slowness)
  }

  lastProbe({ name }: { name: string }) {
    return this.probes.get(name)
  }

  setLastProbe({ name }: { name: string }, last: LastProbe) {
    this.probes.set(name, last)
  }

  lockTrial({ name }: { name: string }) {
    if (this.trials.has(name)) return undefined
    this.trials.add(name)
    return { release: () => void this.trials.delete(name) }
  }

  /** As one process sees it. */
  health(clock: Pick<Clock, 'now'>, random: () => number = () => 0): Health {
    return new Health({ files: this, disabled: { recall: ({ name }: Pick<BuildMachine, 'name'>) => this.disabled.get(name) }, clock, random })
  }
}
