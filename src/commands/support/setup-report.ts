import type { SetupChange, SetupReport } from '../../offload/setup/report.js'

export function setupLines({ changes, instructions, dryRun }: SetupReport): string[] {
  const lines = changes.flatMap((change) => changeLines(change, dryRun))
  return [...(lines.length === 0 ? ['nothing to do'] : lines), ...instructions.flatMap((text) => text.split('\n'))]
}

export function setupJson({ dryRun, changes, instructions, warnings }: SetupReport): unknown {
  return { dryRun, changes, instructions, warnings }
}

function changeLines({ action, subject, content }: SetupChange, dryRun: boolean): string[] {
  const verbs = {
    write: dryRun ? 'would write' : 'wrote',
    remove: dryRun ? 'would remove' : 'removed',
    run: dryRun ? 'would run' : 'ran',
    keep: 'unchanged',
  }
  const preview = dryRun && content !== undefined ? content.trimEnd().split('\n').map((line) => `  ${line}`) : []
  return [`${verbs[action]} ${subject}${preview.length === 0 ? '' : ':'}`, ...preview]
}
