import { hrtime } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildMachine, Connection, ConnectContext } from '../plugin-api/index.js'
import type { Configuration } from '../config/configuration.js'
import type { DecidePorts } from '../offload/decide.js'
import type { OffloadPorts } from '../offload/ports.js'
import type { HealthFacts } from '../scheduling/health.js'
import type { MachineSelector, SelectionPorts } from '../scheduling/machine-selector.js'
import type { Refusals } from '../state/refusals.js'
import { tokens, type HookProcess, type Root } from './tokens.js'

/** All steps of `test` or `status` for one machine together, beyond what connecting may take. */
const afterConnectingMs = 45_000

async function machineMilliseconds(root: Root): Promise<number> {
  const { timeouts } = await root.resolve(tokens.configuration)
  return timeouts.connectMs + timeouts.handshakeMs + afterConnectingMs
}

const monotonic = (): number => Number(hrtime.bigint() / 1000n) / 1000

type Connect = (machine: BuildMachine, signal: AbortSignal) => Promise<Connection>

/** Connects by the transport that a machine asks for. */
async function connector(root: Root): Promise<Connect> {
  const [{ LinkMemory }, transportFor, { homeDirectory, stateDirectory }, { timeouts }] = await Promise.all([
    import('../state/link-memory.js'),
    root.resolve(tokens.transportFor),
    root.resolve(tokens.environment),
    root.resolve(tokens.configuration),
  ])
  const links = new LinkMemory(stateDirectory)
  return async (machine, signal) => {
    const [transport, { compression }] = await Promise.all([transportFor(machine), links.compressionFor(machine)])
    const context: ConnectContext = { signal, timeouts, homeDirectory }
    return transport.connect({ ...machine, compression }, context)
  }
}

async function offloadPorts(root: Root): Promise<OffloadPorts> {
  const [environment, { offloadOnward, timeouts }, { SendingTurns }] = await Promise.all([
    root.resolve(tokens.environment),
    root.resolve(tokens.configuration),
    import('../state/sending-turns.js'),
  ])
  const { storeDirectory, stateDirectory, configurationDirectory } = environment
  return {
    storeDirectory,
    stateDirectory,
    offloadOnward,
    monotonic,
    log: root.resolve(tokens.log),
    now: () => Date.now(),
    sendingTurns: new SendingTurns(stateDirectory),
    async keepProvenance(entries) {
      const { ProvenanceFiles } = await import('../state/provenance.js')
      new ProvenanceFiles(stateDirectory, storeDirectory).keep(entries)
    },
    async openLocalStore(signal) {
      const [{ LocalDaemon }, { localDaemonSocket }] = await Promise.all([import('../local-store/local-daemon.js'), import('../config/environment.js')])
      return LocalDaemon.open(localDaemonSocket(environment), signal)
    },
    async openRemoteStore(connection, _machine, signal) {
      const [{ openRemoteStore }, { RungFiles }] = await Promise.all([import('../remote-store/open-remote-store.js'), import('../state/rung-memory.js')])
      const memory = new RungFiles(stateDirectory)
      return openRemoteStore(connection, { signal, memory, greetingMs: timeouts.handshakeMs, stallMs: timeouts.stallMs, log: root.resolve(tokens.log) })
    },
    async loadSigner() {
      const { readSigner } = await import('../local-store/signing-key.js')
      return readSigner(configurationDirectory)
    },
    async loadAcl() {
      const { readAcl } = await import('../local-store/acl-file.js')
      return readAcl(configurationDirectory)
    },
  }
}

/** The probe of a machine that is connected already. */
async function prober(root: Root): Promise<DecidePorts['probe']> {
  const [{ probe }, { systemClock }, { defaultSelectionPolicy }, { storeDirectory }] = await Promise.all([
    import('../scheduling/probe.js'),
    import('../scheduling/clock.js'),
    import('../scheduling/machine-selector.js'),
    root.resolve(tokens.environment),
  ])
  return (connection, signal) => probe(connection, { storeDirectory, probeMs: defaultSelectionPolicy.probeMs, clock: systemClock, signal })
}

async function slots(root: Root) {
  const [{ Slots }, { stateDirectory }] = await Promise.all([import('../scheduling/slots.js'), root.resolve(tokens.environment)])
  return new Slots(stateDirectory)
}

async function health(root: Root) {
  const [{ Health }, { HealthFiles }, { DisabledFiles }, { systemClock }, { stateDirectory }] = await Promise.all([
    import('../scheduling/health.js'),
    import('../state/health-files.js'),
    import('../state/disabled-files.js'),
    import('../scheduling/clock.js'),
    root.resolve(tokens.environment),
  ])
  return new Health({ files: new HealthFiles(stateDirectory), disabled: new DisabledFiles(stateDirectory), clock: systemClock, random: () => Math.random() })
}

interface SelectorParts {
  readonly slotFiles: SelectionPorts['slots']
  readonly memory: SelectionPorts['health']
  readonly ports: OffloadPorts
}

/** What chooses a machine, for the hook and for those who ask what it would choose; and who takes note of items, where the strategy wants to know of them. */
async function selectorOver(root: Root, { slotFiles, memory, ports }: SelectorParts): Promise<{ readonly selector: MachineSelector; readonly items: DecidePorts['items'] }> {
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
function patienceMs({ timeouts }: Configuration): number {
  return timeouts.connectMs + 250
}

/** Answers guix-daemon. */
export async function makeDecider(root: Root) {
  const [{ decide }, { gatherMachines }, { HistoryFile }, { LinkMemory }, { removeLeftovers }, { openBuildLog }] =
    await Promise.all([
      import('../offload/decide.js'),
      import('../machines/gather-machines.js'),
      import('../state/history.js'),
      import('../state/link-memory.js'),
      import('../local-store/temporary-items.js'),
      import('../hook/log-output.js'),
    ])
  const [ports, slotFiles, memory] = await Promise.all([offloadPorts(root), slots(root), health(root)])
  const [{ selector, items }, probe, sources, context, configuration] = await Promise.all([
    selectorOver(root, { slotFiles, memory, ports }),
    prober(root),
    root.resolve(tokens.machineSources),
    root.resolve(tokens.sourceContext),
    root.resolve(tokens.configuration),
  ])
  return ({ arguments: words, output }: HookProcess) => {
    const say = (message: string): void => output.message(message)
    const decidePorts: DecidePorts = {
      ...ports,
      probe,
      log: { debug: ports.log.debug.bind(ports.log), info: say, warn: (message) => say(`guix offload: warning: ${message}`) },
      async pause(milliseconds, signal) {
        await sleep(milliseconds, undefined, { signal })
      },
      history: new HistoryFile(ports.stateDirectory),
      noteRefusal: refusalNotes(ports.stateDirectory),
      links: new LinkMemory(ports.stateDirectory),
      items,
      health: memory,
      answerPolicy: { daemonSystem: words.system, onUnreachable: configuration.onUnreachable },
      patienceMs: patienceMs(configuration),
      cleanUp: () => void removeLeftovers(ports.storeDirectory, ports.stateDirectory),
      buildLog: toStream(openBuildLog),
      said: new Set(),
      async machines(signal) {
        const gathered = await gatherMachines(sources, { ...context, signal }, configuration.machineSettings)
        const [first] = gathered.failures
        if (first !== undefined && gathered.failures.length === sources.length) throw first.error
        return {
          machines: gathered.machines,
          warnings: [...gathered.warnings, ...gathered.failures.map(({ source, error }) => ({ code: 'source-failed', message: `${source}: ${String(error)}` }))],
        }
      },
      select: (request, machines, options) => selector.select(request, machines, options),
    }
    const limits = { maxSilentTime: words.maxSilentSeconds, timeout: words.buildTimeoutSeconds }
    return (request: Parameters<typeof decide>[0], signal: AbortSignal) => decide(request, limits, decidePorts, signal)
  }
}

/** Nothing of it is loaded before guix-daemon has its answer. */
function refusalNotes(stateDirectory: string): DecidePorts['noteRefusal'] {
  let file: Refusals | undefined
  return async (request, outcome, verdicts) => {
    const [{ RefusalFile }, { verdictRecords }] = await Promise.all([import('../state/refusals.js'), import('../offload/verdict-records.js')])
    file ??= new RefusalFile(stateDirectory)
    const { derivation, system, features } = request
    file.note({ time: new Date().toISOString(), derivation, system, features, outcome, verdicts: verdictRecords(verdicts) })
  }
}

/** The build log's descriptor is looked at on first use: a declined request has none. */
function toStream(open: () => NodeJS.WritableStream): DecidePorts['buildLog'] {
  let stream: NodeJS.WritableStream | undefined
  return (bytes) => {
    stream ??= open()
    const target = stream
    // Each piece is waited for, so that nothing is left unwritten when the process exits.
    return new Promise((resolve) => target.write(bytes, () => resolve()))
  }
}

export async function makeTestMachines(root: Root) {
  const [{ testMachines }, list, ports, connect, deadline, slotFiles, memory] = await Promise.all([
    import('../offload/test-machines.js'),
    root.resolve(tokens.listMachines),
    offloadPorts(root),
    connector(root),
    machineMilliseconds(root),
    slots(root),
    health(root),
    // Not needed for a test, but without it no build is offloaded.
    root.resolve(tokens.schedulingStrategy),
  ])
  return testMachines(list, { ...ports, connect, slotObstacle: (machine) => slotFiles.obstacle(machine), machineMilliseconds: deadline, passed: (machine) => memory.clear(machine) })
}

export async function makeStatusOfMachines(root: Root) {
  const [{ statusOfMachines }, { LinkMemory }, list, ports, connect, probe, slotFiles, deadline, memory] = await Promise.all([
    import('../offload/status-of-machines.js'),
    import('../state/link-memory.js'),
    root.resolve(tokens.listMachines),
    offloadPorts(root),
    connector(root),
    prober(root),
    slots(root),
    machineMilliseconds(root),
    health(root),
  ])
  return statusOfMachines(list, {
    healthOf: (machine) => memory.facts(machine),
    connect,
    probe,
    openRemoteStore: (connection, machine, signal) => ports.openRemoteStore(connection, machine, signal),
    links: new LinkMemory(ports.stateDirectory),
    countSlots: (machine) => slotFiles.count(machine),
    now: () => Date.now(),
    machineMilliseconds: deadline,
  })
}

/** What is remembered of a machine. */
export async function makeHealthOf(root: Root): Promise<(machine: BuildMachine) => HealthFacts> {
  const memory = await health(root)
  return (machine) => memory.facts(machine)
}

export async function makeEmployMachines(root: Root) {
  const [{ employMachines }, { DisabledFiles }, { lockHolders }, { stateDirectory }, list, memory, slotFiles] = await Promise.all([
    import('../offload/employ-machines.js'),
    import('../state/disabled-files.js'),
    import('../scheduling/slots-in-use.js'),
    root.resolve(tokens.environment),
    root.resolve(tokens.listMachines),
    health(root),
    slots(root),
  ])
  return employMachines(list, {
    disabled: new DisabledFiles(stateDirectory),
    health: memory,
    running(machine) {
      const { taken } = slotFiles.count(machine)
      const holders = taken.length === 0 ? [] : [...lockHolders(taken.map(({ file }) => file)).values()]
      return { builds: taken.length, pids: holders.flat() }
    },
    async pause(milliseconds, signal) {
      await sleep(milliseconds, undefined, { signal })
    },
  })
}

/** Longer than this nobody waits for substitute servers to be told why a build was not offloaded. */
const substitutesMilliseconds = 15_000

export async function makeExplain(root: Root) {
  const [{ explain }, { SlotsLookedAt }, { LocalDaemon }, { localDaemonSocket }, list, environment, configuration, slotFiles, memory, machineMs] =
    await Promise.all([
      import('../offload/explain/explain.js'),
      import('../scheduling/slots-looked-at.js'),
      import('../local-store/local-daemon.js'),
      import('../config/environment.js'),
      root.resolve(tokens.listMachines),
      root.resolve(tokens.environment),
      root.resolve(tokens.configuration),
      slots(root),
      health(root),
      machineMilliseconds(root),
    ])
  return explain(list, {
    storeDirectory: environment.storeDirectory,
    variables: environment.variables,
    scheduler: configuration.scheduler,
    onUnreachable: configuration.onUnreachable,
    selector: (await selectorOver(root, { slotFiles: new SlotsLookedAt(slotFiles), memory, ports: await offloadPorts(root) })).selector,
    countSlots: (machine) => slotFiles.count(machine),
    openDaemon: (signal) => LocalDaemon.open(localDaemonSocket(environment), signal),
    machineMilliseconds: machineMs,
    patienceMilliseconds: patienceMs(configuration),
    substitutesMilliseconds,
  })
}
