import { existsSync } from 'node:fs'
import { ConfigurationError } from '../../errors/offload-error.js'
import { readDerivation, type Derivation } from '../../local-store/derivation-file.js'
import type { BuildMachine, BuildRequest } from '../../plugin-api/index.js'
import { answerWithout, type AnswerPolicy } from '../../scheduling/answer.js'
import type { MachineSelector } from '../../scheduling/machine-selector.js'
import type { SlotCount } from '../../scheduling/slots.js'
import { lockHolders, type HeldLocks } from '../../scheduling/slots-in-use.js'
import { isDerivationPath, isStorePath } from '../../wire/store-path.js'
import type { ListMachines } from '../list-machines.js'
import { problemOf } from '../problem.js'
import { answerTo } from './answer.js'
import { aboutClient, aboutDaemon, aboutDerivation, aboutStore, type SeenDaemon } from './circumstances.js'
import { daemonOptions, hostSystem } from './daemon-options.js'
import { hookProgramOf } from './hook-program.js'
import type { Circumstance, ExplainReport, MachineFinding, Question } from './report.js'
import { storeFactsOf, type AskedDaemon } from './store-facts.js'
import type { Surroundings } from './surroundings.js'

/** Says why a derivation is offloaded or not, and where to. Takes no slot and is in no hook's way. */
export interface Explain {
  /** @throws OffloadFailure of kind configuration: no derivation, or no list of machines at all */
  run(question: Question, surroundings: Surroundings, signal: AbortSignal): Promise<ExplainReport>
}

export interface ExplainPorts {
  readonly storeDirectory: string
  /** The caller's environment. */
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly scheduler: string
  readonly onUnreachable: AnswerPolicy['onUnreachable']
  /** With slots that are only looked at. */
  readonly selector: Pick<MachineSelector, 'survey'>
  countSlots(machine: BuildMachine): SlotCount
  openDaemon(signal: AbortSignal): Promise<AskedDaemon>
  /** Milliseconds each machine has to answer; where the daemon can build instead; and substitute servers all together. */
  readonly machineMilliseconds: number
  readonly patienceMilliseconds: number
  readonly substitutesMilliseconds: number
}

export function explain(list: ListMachines, ports: ExplainPorts): Explain {
  return {
    async run(question, surroundings, signal) {
      const derivation = 'derivation' in question ? derivationAt(question.derivation, ports.storeDirectory) : undefined
      const daemon = await seenDaemon(surroundings)
      const daemonSystem = daemon?.options.system ?? hostSystem()
      const request = requestFor(question, derivation, (daemon?.options.maxJobs ?? 1) > 0)
      const [listing, store] = await Promise.all([list.run({}, signal), aboutStoreOf(request.derivation, derivation, ports, signal)])
      const policy = { daemonSystem, onUnreachable: ports.onUnreachable }
      // Where the daemon can build it itself the hook waits no longer than that.
      const mayBuildHere = answerWithout({ kind: 'unreachable', verdicts: [] }, request, policy) === 'decline'
      const machineMs = mayBuildHere ? ports.patienceMilliseconds : ports.machineMilliseconds
      const survey = await ports.selector.survey(request, listing.machines, { signal, machineMs })
      const client = aboutClient(ports.variables)
      return {
        warnings: listing.warnings,
        failures: listing.failures,
        request,
        circumstances: [...aboutDaemon(daemon), ...client, ...(derivation === undefined ? [] : aboutDerivation(derivation, daemonSystem)), ...store],
        answer: answerTo(request, survey, policy),
        scheduler: ports.scheduler,
        machines: survey.findings.map((finding) => withSlots(finding, ports, surroundings.locks)),
      }
    },
  }
}

async function seenDaemon({ daemons: [process] }: Surroundings): Promise<SeenDaemon | undefined> {
  return process === undefined ? undefined : { process, options: daemonOptions(process.words), hook: await hookProgramOf(process) }
}

/** As guix-daemon reads the derivation: features are separated by blanks. */
function requestFor(question: Question, derivation: Derivation | undefined, wantsLocal: boolean): BuildRequest {
  if ('system' in question) return { derivation: '', system: question.system, features: question.features, wantsLocal }
  const features = (derivation?.environment.get('requiredSystemFeatures') ?? '').split(/\s+/).filter((feature) => feature !== '')
  return { derivation: question.derivation, system: derivation?.system ?? '', features, wantsLocal }
}

function derivationAt(path: string, storeDirectory: string): Derivation {
  const fail = (problem: string) => new ConfigurationError({
    code: 'not-a-derivation', step: 'looking for the derivation', problem, subject: path, expected: `${storeDirectory}/….drv`, cure: '`guix build --derivations PACKAGE` prints one',
  })
  if (!isStorePath(path, storeDirectory) || !isDerivationPath(path)) throw fail('that is not the name of a derivation')
  if (!existsSync(path)) throw fail('there is no such file')
  return readDerivation(path)
}

/** A daemon that does not answer asks no hook either. */
async function aboutStoreOf(path: string, derivation: Derivation | undefined, ports: ExplainPorts, signal: AbortSignal): Promise<Circumstance[]> {
  try {
    if (derivation !== undefined) return aboutStore(await storeFactsOf(path, derivation, () => ports.openDaemon(signal), ports.substitutesMilliseconds))
    const daemon = await ports.openDaemon(signal)
    daemon.close()
    return []
  } catch (error) {
    signal.throwIfAborted()
    const { code, message, cure } = problemOf(error)
    return [{ code, blocks: true, message, cure }]
  }
}

function withSlots(finding: Omit<MachineFinding, 'slots'>, ports: ExplainPorts, locks: HeldLocks): MachineFinding {
  const { machine, code } = finding.verdict
  if (code === 'unsuited') return finding
  try {
    const { total, taken } = ports.countSlots(machine)
    const holders = new Set([...lockHolders(taken.map(({ file }) => file), locks).values()].flat())
    return { ...finding, slots: { total, taken: taken.length, holders: [...holders] } }
  } catch {
    // The verdict says so already.
    return finding
  }
}
