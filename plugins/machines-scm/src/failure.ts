/** Why a machine file gave no machines, as an error of the user's configuration. */
import type { OffloadFailure, PluginHost, SchemeFailure } from 'guix-offload/plugin-api'

export const STEP = 'reading the machine file'

export function failed({ kind, problem, location: { file, line, column } }: SchemeFailure, host: PluginHost, cure?: string): OffloadFailure {
  return host.errors.configuration({ code: `machine-file-${kind}`, step: STEP, subject: `${file}:${line}:${column}`, problem, cure })
}
