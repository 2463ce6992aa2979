import { setTimeout as sleep } from 'node:timers/promises'
import type { DecidePorts } from '../offload/decide.js'
import type { Refusals } from '../state/refusals.js'
import { health, offloadPorts, prober, slots } from './parts.js'
import { patienceMs, selectorOver } from './selector.js'
import { tokens, type HookProcess, type Root } from './tokens.js'

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
