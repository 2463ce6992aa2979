import { readdir, readFile, readlink } from 'node:fs/promises'

/** One row of /proc, by the host's process ids. */
export interface ProcessRow {
  readonly pid: number
  readonly parent: number
  /** Clock ticks since boot: with the pid it names one process for good. */
  readonly startTime: string
  /** Z: it has ended and waits for its parent. */
  readonly state: string
}

/** /proc/PID/stat; the command in parentheses may itself hold blanks and parentheses, so the fields count from the last one. */
export const processRow = async (pid: number): Promise<ProcessRow | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { pid, state: fields[0] ?? '?', parent: Number(fields[1]), startTime: fields[19] ?? '' }
}

export const processTable = async (): Promise<ProcessRow[]> => {
  const names = await readdir('/proc')
  const rows = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => processRow(Number(name))))
  return rows.filter((row) => row !== undefined)
}

/** The process and everything it started, parents first. */
export const processTree = async (root: number): Promise<number[]> => {
  const table = await processTable()
  const tree = [root]
  for (const parent of tree) tree.push(...table.filter((row) => row.parent === parent).map((row) => row.pid))
  return tree
}

export const childrenOf = async (parent: number) => (await processTable()).filter((row) => row.parent === parent).map((row) => row.pid)

/** Host pids of the processes in the PID namespace of `member`, that one included. */
export const namespaceMembers = async (member: number): Promise<number[]> => {
  const namespaceOf = (pid: number) => readlink(`/proc/${pid}/ns/pid`).catch(() => undefined)
  const wanted = await namespaceOf(member)
  if (wanted === undefined) return []
  const table = await processTable()
  const found = await Promise.all(table.map(async ({ pid, state }) => (state !== 'Z' && (await namespaceOf(pid)) === wanted ? pid : undefined)))
  return found.filter((pid) => pid !== undefined)
}

export const commandLine = async (pid: number) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').slice(0, -1)

/** Sends a signal; false if the process has gone. */
export const signalProcess = (pid: number, signal: NodeJS.Signals | 0) => {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
