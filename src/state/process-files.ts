/** What the kernel shows of processes (proc(5)), without an error: they end while one looks, and others' may not be looked into. */
import { readdirSync, readFileSync, statSync, type Stats } from 'node:fs'

export function readIfThere(file: string): string | undefined {
  return ifThere(() => readFileSync(file, 'utf8'))
}

export function listIfThere(folder: string): string[] {
  return ifThere(() => readdirSync(folder)) ?? []
}

export function statIfThere(path: string): Stats | undefined {
  return ifThere(() => statSync(path))
}

/** Names in /proc that are those of processes. */
export function processIds(folder = '/proc'): string[] {
  return listIfThere(folder).filter((name) => /^\d+$/.test(name))
}

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
