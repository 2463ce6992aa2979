/**
 * Puts plugins into the folder that every hook reads, and takes them out of it. A package is installed into a new folder, looked at as the hook will, and then the index is
 * replaced: what goes wrong before that changes nothing.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { nearestName } from '../config/nearest-name.js'
import { checkTrusted } from '../config/trusted-file.js'
import { ConfigurationError } from '../errors/offload-error.js'
import { recordLock } from '../state/record-lock.js'
import { hookPlaces, contributeEvent, type PluginManifest } from './installed-plugins.js'
import { readIndex, replaceIndex, type InstalledEntry } from './plugin-index.js'
import { removeUnused } from './unused-packages.js'

export interface InstallerPorts {
  /** As {@link npmInstall}. */
  install(folder: string, spec: string): Promise<void>
  /** Loads these plugins as the hook would. Rejected if one of that name does not work, or takes a name that another one has. */
  tryOut(entries: readonly InstalledEntry[], name: string): Promise<void>
}

export class PluginInstaller {
  /** @param home the folder of installed plugins */
  constructor(private readonly home: string, private readonly ports: InstallerPorts) {}

  /**
   * Installs a package, or replaces the one of that name.
   * @throws ConfigurationError
   */
  install(spec: string): Promise<InstalledEntry> {
    return this.changing(`installing ${spec}`, async (before) => {
      const id = `${basename(spec).replace(/[^A-Za-z0-9.-]+/g, '-').replace(/^[.-]+/, '').slice(0, 40) || 'package'}-${randomBytes(4).toString('hex')}`
      const folder = join(this.home, 'packages', id)
      try {
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, 'package.json'), '{ "private": true }\n')
        await this.ports.install(folder, absolute(spec))
        const { dependencies = {} } = await readManifest(folder) as { dependencies?: Record<string, string> }
        const [key] = Object.keys(dependencies)
        if (key === undefined) throw refusal(spec, 'npm has installed nothing')
        await letAllRead(folder)
        const place = join('packages', id, 'node_modules', key)
        const entry: InstalledEntry = { ...await identify(join(this.home, place), spec), kind: 'package', folder: place, from: spec }
        return await this.replace(before, entry)
      } catch (error) {
        await rm(folder, { recursive: true, force: true })
        throw error
      }
    })
  }

  /** Has a plugin used where it is: for those who work on it. */
  link(path: string): Promise<InstalledEntry> {
    return this.changing(`linking ${path}`, async (before) => {
      const folder = resolve(path)
      const identity = await identify(folder, path).catch((error: unknown) => {
        throw error instanceof ConfigurationError ? error : refusal(path, `there is no package in ${folder}`, error)
      })
      return this.replace(before, { ...identity, kind: 'link', folder, from: folder })
    })
  }

  uninstall(name: string): Promise<InstalledEntry> {
    return this.changing(`uninstalling ${name}`, async (before) => {
      const entry = before.find((other) => other.name === name)
      if (entry !== undefined) {
        await replaceIndex(this.home, before.filter((other) => other !== entry))
        return entry
      }
      const names = before.map((other) => other.name)
      const nearest = nearestName(name, names)
      const hint = nearest === undefined ? `Installed: ${names.join(', ') || 'nothing'}` : `Did you mean '${nearest}'?`
      throw new ConfigurationError({ code: 'plugin-not-installed', step: 'uninstalling', problem: `there is no plugin '${name}'`, cure: hint })
    })
  }

  private async replace(before: readonly InstalledEntry[], entry: InstalledEntry): Promise<InstalledEntry> {
    const after = [...before.filter(({ name }) => name !== entry.name), entry].sort((a, b) => (a.name < b.name ? -1 : 1))
    await this.ports.tryOut(after, entry.name)
    await replaceIndex(this.home, after)
    return entry
  }

  /** One change at a time; the kernel gives the lock back however this process ends. */
  private async changing<T>(step: string, change: (before: readonly InstalledEntry[]) => Promise<T>): Promise<T> {
    const lock = await this.lock(step)
    try {
      const result = await change(await readIndex(this.home))
      await removeUnused(this.home, await readIndex(this.home))
      return result
    } finally {
      closeSync(lock)
    }
  }

  private async lock(step: string): Promise<number> {
    let lock: number
    try {
      await mkdir(join(this.home, 'packages'), { recursive: true, mode: 0o755 })
      lock = openSync(join(this.home, 'lock'), 'a', 0o644)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'EACCES' && code !== 'EROFS') throw error
      throw new ConfigurationError({ code: 'plugins-not-writable', step, problem: message, subject: this.home, cure: 'Run this as root: plugins are installed for the whole system', cause: error })
    }
    try {
      await checkTrusted(this.home, { step })
      if (recordLock().tryLock(lock)) return lock
    } catch (error) {
      closeSync(lock)
      throw error
    }
    closeSync(lock)
    throw new ConfigurationError({ code: 'plugins-locked', step, problem: 'plugins are being installed by another process', subject: this.home, cure: 'Wait for it to end' })
  }
}

/** npm takes what looks like a path for one, but from another folder than that of the user. */
function absolute(spec: string): string {
  const path = /^(?:file:(?:\/\/)?)?((?:\.{0,2}\/|\.{1,2}$).*|.*\.t(?:ar\.)?gz)$/.exec(spec)?.[1]
  return path === undefined || /^[a-z+]+:\/\//.test(spec) && !spec.startsWith('file:') ? spec : resolve(path)
}

async function readManifest(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
}

async function identify(folder: string, spec: string): Promise<Pick<InstalledEntry, 'name' | 'version'>> {
  const manifest = await readManifest(folder) as PluginManifest
  const { name, version = '0.0.0' } = manifest
  if (typeof name !== 'string' || name === '' || typeof version !== 'string') throw refusal(spec, 'its package.json has no name')
  if (hookPlaces(manifest).length === 0) throw refusal(spec, `${name} is no plugin of guix-offload: its package.json names nothing under oclif.hooks["${contributeEvent}"]`)
  return { name, version }
}

function refusal(spec: string, problem: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({ code: 'no-plugin', step: `installing ${spec}`, problem, cause })
}

/** Packages may hold files that only their owner may read, or everybody write; guix-daemon's user reads them, and nobody else has any business there. */
async function letAllRead(folder: string): Promise<void> {
  for (const entry of [{ parentPath: folder, name: '.' }, ...await readdir(folder, { recursive: true, withFileTypes: true })]) {
    if ('isSymbolicLink' in entry && entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    const wanted = (mode | (mode & 0o100 ? 0o555 : 0o444)) & ~0o022 & 0o7777
    if (wanted !== (mode & 0o7777)) await chmod(path, wanted)
  }
}
