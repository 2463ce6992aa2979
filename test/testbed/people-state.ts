import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cache.js'
import type { Machine } from './machine.js'
import { isAlive } from './owner.js'

/** What the command for people knows about the bed it left running. */
export interface PeopleState {
  readonly owner: { readonly pid: number; readonly startTime: string }
  readonly machines: readonly {
    readonly name: string
    readonly address: string
    readonly guix: string
    readonly daemon: string
    readonly holder: { readonly pid: number; readonly startTime: string }
  }[]
}

const statePath = () => join(process.env.XDG_RUNTIME_DIR ?? cacheFolder(), 'guix-offload-testbed.json')
export const ownerLogPath = () => join(cacheFolder(), 'people.log')

/** The bed that runs, if any: a state file whose owner has gone counts for nothing. */
export const readState = async (): Promise<PeopleState | undefined> => {
  const text = await readFile(statePath(), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const state = JSON.parse(text) as PeopleState
  return (await isAlive(state.owner)) ? state : undefined
}

export const writeState = (owner: PeopleState['owner'], machines: readonly Machine[]) => {
  const state: PeopleState = {
    owner,
    machines: machines.map(({ name, address, guix, daemonMode, holder }) => ({
      name, address, guix, daemon: daemonMode, holder: { pid: holder.pid, startTime: holder.startTime },
    })),
  }
  return writeFile(statePath(), `${JSON.stringify(state)}\n`)
}

export const removeState = () => rm(statePath(), { force: true })
