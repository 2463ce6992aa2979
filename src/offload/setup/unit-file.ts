// Systemd's unit files (systemd.syntax(7), systemd.exec(5)), as far as set-up needs them: the assignments of one section, in order.

/** Assignments of `[Service]`. An empty value resets what a list holds so far; that is the reader's business. */
export function serviceAssignments(text: string): [key: string, value: string][] {
  const assignments: [string, string][] = []
  let section = ''
  for (const line of logicalLines(text)) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1]
    const equals = line.indexOf('=')
    if (heading !== undefined) section = heading
    else if (section === 'Service' && equals > 0) assignments.push([line.slice(0, equals).trim(), line.slice(equals + 1).trim()])
  }
  return assignments
}

/** Comments gone; lines that end in a backslash joined with the next by a space. */
function logicalLines(text: string): string[] {
  const lines: string[] = []
  let pending = ''
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (trimmed.startsWith('#') || trimmed.startsWith(';')) continue
    if (trimmed.endsWith('\\')) {
      pending += `${trimmed.slice(0, -1)} `
      continue
    }
    if (pending + trimmed !== '') lines.push((pending + trimmed).trim())
    pending = ''
  }
  if (pending.trim() !== '') lines.push(pending.trim())
  return lines
}

/** The words of a value, quotes removed: `"A=b c" D=e` is two. */
export function words(value: string): string[] {
  const found = value.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+/g) ?? []
  return found.map((word) => word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_, double?: string, single?: string) => double?.replace(/\\(.)/g, '$1') ?? single ?? ''))
}
