/** The machine source `machines-scm`: finds the file, has it evaluated, and keeps the machines that make sense. */
import { resolve } from 'node:path'
import type { MachineList, MachineSource, PluginHost, SourceContext } from 'guix-offload/plugin-api'
import { offloadModule } from './build-machine.js'
import { failed, STEP } from './failure.js'
import { machinesIn } from './machines-in.js'
import { worldFor } from './world.js'

const NAME = 'machines-scm'
const FILE = 'machines.scm'

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '')

function unreadable(error: unknown, path: string, host: PluginHost): unknown {
  if (host.errors.is(error)) return error
  const uid = process.getuid?.()
  const code = codeOf(error)
  const report = { step: STEP, subject: path, cause: error }
  switch (code) {
    case 'ENOENT': return host.errors.configuration({ ...report, code: 'machine-file-missing', problem: 'there is no such file' })
    case 'EACCES':
    case 'EPERM': return host.errors.configuration({
      ...report, code: 'machine-file-unreadable', problem: `uid ${uid} may not read it`, cure: `Give uid ${uid} leave to read the file and to enter its folders`,
    })
    case 'EISDIR': return host.errors.configuration({ ...report, code: 'machine-file-unreadable', problem: 'it is a folder' })
    default: return code.startsWith('E') ? host.errors.configuration({ ...report, code: 'machine-file-unreadable', problem: `it cannot be read (${code})` }) : error
  }
}

async function read(context: SourceContext, host: PluginHost): Promise<{ path: string; text: string } | undefined> {
  const path = context.file ?? `${context.configurationDirectory}/${FILE}`
  try {
    return { path, text: await host.readTrustedFile(resolve(path)) }
  } catch (error) {
    if (context.file === undefined && codeOf(error) === 'ENOENT') return undefined
    throw unreadable(error, path, host)
  }
}

export function createSource(host: PluginHost): MachineSource {
  return {
    name: NAME,
    async list(context): Promise<MachineList> {
      const found = await read(context, host)
      if (found === undefined) return { machines: [], warnings: [] }
      const toolkit = await host.scheme()
      context.signal.throwIfAborted()
      const outcome = await toolkit.evaluate(
        { text: found.text, file: found.path, modules: [offloadModule(context.homeDirectory)], imports: ['(guix scripts offload)'] },
        worldFor(context, host),
      )
      if (outcome.failure === undefined) return { ...machinesIn(outcome.value, found.path), engine: 'built-in' }
      if (outcome.failure.kind !== 'unknown') throw failed(outcome.failure, host)
      const { askGuile } = await import('./ask-guile.js')
      return askGuile(found.path, outcome.failure, context, host, toolkit)
    },
  }
}
