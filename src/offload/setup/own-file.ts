import { ConfigurationError } from '../../errors/offload-error.js'
import { dirname } from 'node:path'
import type { HostFiles } from './host-files.js'
import type { SetupChange } from './report.js'

/** In every file that set-up writes: only files that hold it are ever replaced or removed. */
export const marker = 'Written by `guix-offload setup`; `guix-offload setup --undo` removes it.'

/** Followed by the folders that were made for the file, so that undo removes those and no others. */
const foldersPrefix = '# Folders made for it:'

export interface OwnFile {
  readonly path: string
  readonly mode: number
  /** The content, given the comment lines that must be in it. */
  content(header: readonly string[]): string
}

/** Brings a file to its content; a file that is right already stays untouched. */
export function putFile(files: HostFiles, file: OwnFile, dryRun: boolean): SetupChange {
  const old = readOwn(files, file.path)
  const folders = old === undefined ? missingFolders(files, file.path) : foldersIn(old)
  const content = file.content(headerFor(folders))
  const mode = (files.stat(file.path)?.mode ?? 0) & 0o7777
  if (old === content && mode === file.mode) return { action: 'keep', subject: file.path }
  if (!dryRun) files.write(file.path, content, file.mode)
  return { action: 'write', subject: file.path, content }
}

/** Removes a file of ours and the folders that were made for it. */
export function dropFile(files: HostFiles, path: string, dryRun: boolean): SetupChange[] {
  const old = readOwn(files, path)
  if (old === undefined) return []
  if (!dryRun) {
    files.remove(path)
    for (const folder of foldersIn(old)) files.removeFolder(folder)
  }
  return [{ action: 'remove', subject: path }]
}

/** @throws ConfigurationError if somebody else's file is in that place. */
function readOwn(files: HostFiles, path: string): string | undefined {
  if (!files.taken(path)) return undefined
  const content = files.isPlainFile(path) ? files.read(path) : undefined
  if (content?.includes(marker) === true) return content
  throw new ConfigurationError({
    code: 'foreign-file',
    step: 'setting up',
    problem: 'this file was not written by `guix-offload setup` and is left alone',
    subject: path,
    cure: 'Move it away and run the command again',
  })
}

function headerFor(folders: readonly string[]): string[] {
  return [`# ${marker}`, ...(folders.length === 0 ? [] : [`${foldersPrefix} ${folders.join(' ')}`])]
}

function foldersIn(content: string): string[] {
  const line = content.split('\n').find((candidate) => candidate.startsWith(foldersPrefix))
  return line === undefined ? [] : line.slice(foldersPrefix.length).trim().split(' ')
}

/** Deepest first. */
function missingFolders(files: HostFiles, path: string): string[] {
  const folders: string[] = []
  for (let folder = dirname(path); files.stat(folder) === undefined; folder = dirname(folder)) folders.push(folder)
  return folders
}
