import type { DescribedValue, Origin } from '../../config/describe-configuration.js'
import type { ConfigurationReport } from '../../offload/show-configuration.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

const headings = ['KEY', 'VALUE', 'ORIGIN']

export function configurationLines({ values, patterns }: ConfigurationReport, style: Style): string[] {
  const rows = values.map(({ path, text, origin }) => [keyOf(path), text, originText(origin)])
  const matches = patterns.map(({ pattern, machines, origin }) => [keyOf(['machines', pattern]), `for ${machinesText(machines)}`, originText(origin)])
  return tableLines(headings, [...rows, ...matches], style)
}

export function configurationJson({ file, values, patterns, warnings }: ConfigurationReport): unknown {
  return {
    file: file ?? null,
    values: values.map(({ path, value, text, origin }: DescribedValue) => ({ key: keyOf(path), path, value, text, origin: originJson(origin) })),
    machines: patterns.map(({ pattern, machines, origin }) => ({ pattern, machines: machines ?? null, origin: originJson(origin) })),
    warnings: warnings.map(({ code, message, origin }) => ({ code, message, origin: originJson(origin) })),
  }
}

export function warningLine({ message, origin }: ConfigurationReport['warnings'][number]): string {
  return origin.kind === 'default' ? message : `${originText(origin)}: ${message}`
}

/** Keys as they would be found in the file; those that have dots themselves are quoted. */
function keyOf(path: readonly string[]): string {
  return path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.')
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default': return 'default'
    case 'environment': return origin.variable
    case 'file': return origin.position === undefined ? origin.file : `${origin.file}:${origin.position.line}:${origin.position.column}`
  }
}

function originJson(origin: Origin) {
  switch (origin.kind) {
    case 'default': return { kind: origin.kind }
    case 'environment': return { kind: origin.kind, variable: origin.variable }
    case 'file': return { kind: origin.kind, file: origin.file, line: origin.position?.line ?? null, column: origin.position?.column ?? null }
  }
}

function machinesText(machines: readonly string[] | undefined): string {
  if (machines === undefined) return 'machines that cannot be listed'
  return machines.length === 0 ? 'no machine' : machines.join(', ')
}
