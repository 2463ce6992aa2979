/** What several use cases are put together from. */
import { hrtime } from 'node:process'
import type { BuildMachine, Connection, ConnectContext } from '../plugin-api/index.js'
import type { DecidePorts } from '../offload/decide.js'
import type { OffloadPorts } from '../offload/ports.js'
import { tokens, type Root } from './tokens.js'

const monotonic = (): number => Number(hrtime.bigint() / 1000n) / 1000

type Connect = (machine: BuildMachine, signal: AbortSignal) => Promise<Connection>

/** Connects by the transport that a machine asks for. */
export async function connector(root: Root): Promise<Connect> {
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

export async function offloadPorts(root: Root): Promise<OffloadPorts> {
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
export async function prober(root: Root): Promise<DecidePorts['probe']> {
  const [{ probe }, { systemClock }, { defaultSelectionPolicy }, { storeDirectory }] = await Promise.all([
    import('../scheduling/probe.js'),
    import('../scheduling/clock.js'),
    import('../scheduling/machine-selector.js'),
    root.resolve(tokens.environment),
  ])
  return (connection, signal) => probe(connection, { storeDirectory, probeMs: defaultSelectionPolicy.probeMs, clock: systemClock, signal })
}

export async function slots(root: Root) {
  const [{ Slots }, { stateDirectory }] = await Promise.all([import('../scheduling/slots.js'), root.resolve(tokens.environment)])
  return new Slots(stateDirectory)
}

export async function health(root: Root) {
  const [{ Health }, { HealthFiles }, { DisabledFiles }, { systemClock }, { stateDirectory }] = await Promise.all([
    import('../scheduling/health.js'),
    import('../state/health-files.js'),
    import('../state/disabled-files.js'),
    import('../scheduling/clock.js'),
    root.resolve(tokens.environment),
  ])
  return new Health({ files: new HealthFiles(stateDirectory), disabled: new DisabledFiles(stateDirectory), clock: systemClock, random: () => Math.random() })
}
