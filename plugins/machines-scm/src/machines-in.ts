/** The machines in the value of a machine file, each judged by itself. */
import type { BuildMachine, SchemeDatum, SchemeRecord, Warning } from 'guix-offload/plugin-api'
import { validate, written } from './validate.js'

const SOURCE = 'machines-scm'

const isRecord = (datum: SchemeDatum): datum is SchemeRecord => typeof datum === 'object' && 'kind' in datum && datum.kind === 'record'

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
    const { machine, warnings: found } = validate(item, SOURCE)
    warnings.push(...found)
    if (machine !== undefined) machines.push(machine)
  }
  return { machines, warnings }
}
