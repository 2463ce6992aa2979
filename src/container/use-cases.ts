/** What people ask for. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildMachine } from '../plugin-api/index.js'
import type { HealthFacts } from '../scheduling/health.js'
import { connector, health, offloadPorts, prober, slots } from './parts.js'
import { patienceMs, selectorOver } from './selector.js'
import { tokens, type Root } from './tokens.js'

/** All steps of `test` or `status` for one machine together, beyond what connecting may take. */
const afterConnectingMs = 45_000

async function machineMilliseconds(root: Root): Promise<number> {
  const { timeouts } = await root.resolve(tokens.configuration)
  return timeouts.connectMs + timeouts.handshakeMs + afterConnectingMs
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
