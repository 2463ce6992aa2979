/**
 * What installed plugins bring, with the answers checked that the rest of the program relies on: an error that is none of ours, a wait without end or an answer of the wrong
 * shape becomes one error that names the package.
 */
import { OffloadError } from '../errors/offload-error.js'
import type { BuildMachine, MachineList, MachineSource, SchedulingStrategy, Transport, Warning } from '../plugin-api/index.js'
import { pluginFailed, type Contribution, type Kind, type Kinds } from './contribution.js'

/** guix-daemon waits while machines are listed and ranked. Milliseconds. */
const patience = 10_000

export function guarded(contribution: Contribution, made: Kinds[Kind], patienceMs = patience): Kinds[Kind] {
  const member = { transport: 'connect', schedulingStrategy: 'rank', machineSource: 'list' }[contribution.kind]
  if (typeof (made as unknown as Record<string, unknown> | null | undefined)?.[member] !== 'function') throw new Error(`what its factory returns has no function ${member}`)
  const guard = new Guard(contribution, patienceMs)
  switch (contribution.kind) {
    case 'transport':
      return guard.transport(made as Transport)
    case 'schedulingStrategy':
      return guard.strategy(made as SchedulingStrategy)
    case 'machineSource':
      return guard.source(made as MachineSource)
  }
}

class Guard {
  constructor(private readonly contribution: Contribution, private readonly patienceMs: number) {}

  /** It has a time-out, and the caller one besides. */
  transport(transport: Transport): Transport {
    const connect: Transport['connect'] = async (machine, context) => {
      try {
        return await transport.connect(machine, context)
      } catch (error) {
        if (error instanceof OffloadError || context.signal.aborted) throw error
        throw pluginFailed(this.contribution, `connecting to ${machine.name} by`, error)
      }
    }
    return this.instead(transport, { connect })
  }

  strategy(strategy: SchedulingStrategy): SchedulingStrategy {
    const rank: SchedulingStrategy['rank'] = (request, candidates, context) => this.answer('asking', async () => {
      const ranking = await strategy.rank(request, candidates, context)
      const ranked: unknown = ranking
      if (!Array.isArray(ranked) || !ranked.every((one: unknown) => candidates.includes((one as { candidate: never } | null)?.candidate as never))) {
        throw new Error('it did not return a list of the candidates')
      }
      return ranking
    })
    return this.instead(strategy, { rank })
  }

  source(source: MachineSource): MachineSource {
    const { name } = this.contribution
    const list: MachineSource['list'] = (context) => this.answer('asking', async () => {
      const answer: MachineList | undefined = await source.list(context)
      if (!Array.isArray(answer?.machines) || !Array.isArray(answer.warnings)) throw new Error('it did not return machines and warnings')
      const machines: BuildMachine[] = []
      const warnings: Warning[] = [...answer.warnings as readonly Warning[]]
      for (const machine of answer.machines as readonly unknown[]) {
        const mistake = mistakeIn(machine)
        if (mistake === undefined) machines.push({ ...machine as BuildMachine, source: name })
        else warnings.push({ code: 'machine-malformed', message: `${name}: ${mistake}; the machine is left out`, dropped: true })
      }
      return { ...answer, machines, warnings }
    })
    return this.instead(source, { list })
  }

  /** What was made, with some members replaced; the others are its own. */
  private instead<T extends Kinds[Kind]>(made: T, members: Partial<T>): T {
    return Object.create(made, Object.getOwnPropertyDescriptors({ ...members, name: this.contribution.name })) as T
  }

  private async answer<T>(doing: string, ask: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${this.patienceMs} ms`)), this.patienceMs)
    })
    try {
      return await Promise.race([ask(), expired])
    } catch (error) {
      if (error instanceof OffloadError) throw error
      throw pluginFailed(this.contribution, doing, error)
    } finally {
      clearTimeout(timer)
    }
  }
}

const text = (value: unknown): boolean => typeof value === 'string' && value !== ''
const texts = (value: unknown): boolean => Array.isArray(value) && value.every(text)
const orAbsent = (holds: (value: unknown) => boolean) => (value: unknown): boolean => value === undefined || holds(value)

/** What the rest of the program takes for granted. */
const rules: readonly (readonly [key: keyof BuildMachine, what: string, holds: (value: unknown) => boolean])[] = [
  ['name', 'a name', text],
  ['port', 'a port from 1 to 65535', (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535],
  ['systems', 'a list of systems', (value) => texts(value) && (value as unknown[]).length > 0],
  ['user', 'a user', text],
  ['hostKey', 'a host key', (value) => typeof value === 'string'],
  ['privateKey', 'a path', orAbsent(text)],
  ['daemonSocket', 'a path', text],
  ['overloadThreshold', 'a number or null', (value) => value === null || Number.isFinite(value)],
  ['parallelBuilds', 'a positive integer', (value) => Number.isSafeInteger(value) && Number(value) >= 1],
  ['speed', 'a positive number', (value) => Number.isFinite(value) && Number(value) > 0],
  ['features', 'a list of features', texts],
  ['settings', 'settings', orAbsent((value) => typeof value === 'object' && value !== null)],
]

function mistakeIn(machine: unknown): string | undefined {
  if (typeof machine !== 'object' || machine === null) return `${String(machine)} is no machine`
  const fields = machine as Readonly<Record<string, unknown>>
  const broken = rules.find(([key, , holds]) => !holds(fields[key]))
  return broken === undefined ? undefined : `machine ${JSON.stringify(fields.name)}: ${broken[0]} is ${JSON.stringify(fields[broken[0]])}, not ${broken[1]}`
}
