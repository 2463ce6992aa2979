/** The machine source `machines-scm`: finds the file, has it evaluated, and keeps the machines that make sense. */
import { resolve } from 'node:path'
import type { BuildMachine, MachineList, MachineSource, OffloadFailure, PluginHost, SchemeDatum, SchemeFailure, SchemeRecord, SourceContext, Warning } from 'guix-offload/plugin-api'
import { offloadModule } from './build-machine.js'
import { validate, written } from './validate.js'
import { worldFor } from './world.js'

const NAME = 'machines-scm'
const STEP = 'reading the machine file'
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

export function located({ file, line, column }: SchemeFailure['location']): string {
  return `${file}:${line}:${column}`
}

function failed(failure: SchemeFailure, host: PluginHost): OffloadFailure {
  return host.errors.configuration({ code: `machine-file-${failure.kind}`, step: STEP, subject: located(failure.location), problem: failure.problem })
}

const isRecord = (datum: SchemeDatum): datum is SchemeRecord => typeof datum === 'object' && 'kind' in datum && datum.kind === 'record'

/** The machines in a program's value, each judged by itself. */
export function machinesIn(value: SchemeDatum, file: string): { machines: BuildMachine[]; warnings: Warning[] } {
  if (typeof value !== 'object' || 'kind' in value) {
    const message = `${file} did not return a list of build machines but ${written(value)}; ignoring it`
    return { machines: [], warnings: [{ code: 'machine-file-not-a-list', message, location: isRecord(value) ? value.location : { file, line: 1, column: 0 }, dropped: true }] }
  }
  const machines: BuildMachine[] = []
  const warnings: Warning[] = []
  for (const [at, item] of value.entries()) {
    if (!isRecord(item) || item.type !== 'build-machine') {
      warnings.push({ code: 'not-a-build-machine', message: `item ${at + 1} of the list is no build machine but ${written(item)}; left out`, location: { file, line: 1, column: 0 }, dropped: true })
      continue
    }
    const { machine, warnings: found } = validate(item, NAME)
    warnings.push(...found)
    if (machine !== undefined) machines.push(machine)
  }
  return { machines, warnings }
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
      const { failure, ...outcome } = await toolkit.evaluate(
        { text: found.text, file: found.path, modules: [offloadModule(context.homeDirectory)], imports: ['(guix scripts offload)'] },
        worldFor(context, host),
      )
      if (failure !== undefined) throw failed(failure, host)
      return { ...machinesIn('value' in outcome ? outcome.value : false, found.path), engine: 'built-in' }
    },
  }
}
