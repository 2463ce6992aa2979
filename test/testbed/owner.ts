import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bedsFolder } from './cache.js'
import { processRow } from './processes.js'

/**
 * The folder of a bed is named PID.STARTTIME.NAME after the process that owns it, so owner and folder appear in one step. Everything else of a
 * bed dies with its owner; the folder is left, and the next bed sweeps the folders whose owner is no longer the process it was.
 */
export const ownerOf = (folder: string) => {
  const match = /^(\d+)\.(\d+)\./.exec(folder)
  return match?.[1] === undefined || match[2] === undefined ? undefined : { pid: Number(match[1]), startTime: match[2] }
}

export const isAlive = async (owner: { readonly pid: number; readonly startTime: string }) => {
  const row = await processRow(owner.pid)
  return row !== undefined && row.state !== 'Z' && row.startTime === owner.startTime
}

/** This process, as an owner. */
export const self = async () => {
  const row = await processRow(process.pid)
  if (row === undefined) throw new Error('/proc does not know this process')
  return { pid: row.pid, startTime: row.startTime }
}

export const createBedFolder = async (name: string) => {
  const { pid, startTime } = await self()
  const folder = join(bedsFolder(), `${pid}.${startTime}.${name}`)
  await mkdir(bedsFolder(), { recursive: true })
  await mkdir(folder, { mode: 0o700 })
  return folder
}

/** Upper folders hold read-only files and many of them: as root, and patient with a namespace that is still dying. */
export const removeBedFolder = (folder: string) => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })

export const sweep = async () => {
  const folders = await readdir(bedsFolder()).catch(() => [])
  await Promise.all(
    folders.map(async (folder) => {
      const owner = ownerOf(folder)
      if (owner !== undefined && !(await isAlive(owner))) await removeBedFolder(join(bedsFolder(), folder))
    }),
  )
}
