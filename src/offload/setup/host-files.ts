import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigurationError } from '../../errors/offload-error.js'

/**
 * The file system as set-up sees it: absolute paths below a root folder, which is `/` but for tests and images. Files are replaced atomically: guix-daemon may
 * start the wrapper at any moment.
 */
export class HostFiles {
  constructor(private readonly root: string) {}

  /** The text, or undefined if there is no such file. */
  read(path: string): string | undefined {
    return this.unlessMissing(() => readFileSync(this.at(path), 'utf8'), path)
  }

  /** Names in a folder, sorted; none if there is no such folder. */
  list(path: string): readonly string[] {
    return this.unlessMissing(() => readdirSync(this.at(path)).sort(), path) ?? []
  }

  /** Follows links. */
  stat(path: string): Stats | undefined {
    return this.unlessMissing(() => statSync(this.at(path)), path)
  }

  /** True for anything at that place, a dangling link as well. */
  taken(path: string): boolean {
    return this.unlessMissing(() => lstatSync(this.at(path)), path) !== undefined
  }

  isPlainFile(path: string): boolean {
    return this.unlessMissing(() => lstatSync(this.at(path)), path)?.isFile() ?? false
  }

  /** With all links followed, as far as they stay below the root. */
  realPath(path: string): string | undefined {
    const real = this.unlessMissing(() => realpathSync(this.at(path)), path)
    const root = realpathSync(this.root)
    return real !== undefined && root !== '/' && real.startsWith(root) ? real.slice(root.length) : real
  }

  write(path: string, content: string | Uint8Array, mode: number): void {
    const target = this.at(path)
    const temporary = `${target}.${randomBytes(6).toString('hex')}~`
    this.permitted('writing', path, () => {
      makeFolders(dirname(target))
      try {
        writeFileSync(temporary, content, { mode, flag: 'wx' })
        chmodSync(temporary, mode)
        renameSync(temporary, target)
      } finally {
        rmSync(temporary, { force: true })
      }
    })
  }

  remove(path: string): void {
    this.permitted('removing', path, () => rmSync(this.at(path), { force: true }))
  }

  /** Only if it is empty. */
  removeFolder(path: string): void {
    if (this.stat(path) === undefined || this.list(path).length > 0) return
    this.permitted('removing', path, () => rmdirSync(this.at(path)))
  }

  private at(path: string): string {
    return join(this.root, path)
  }

  private unlessMissing<T>(action: () => T, path: string): T | undefined {
    try {
      return action()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw refused('reading', path, error)
    }
  }

  private permitted(step: string, path: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      throw refused(step, path, error)
    }
  }
}

/** Open to every user whatever the umask: guix-daemon's user has to get at the files. */
function makeFolders(path: string): void {
  const first = mkdirSync(path, { recursive: true })
  if (first === undefined) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) chmodSync(folder, 0o755)
}

function refused(step: string, path: string, cause: unknown): ConfigurationError {
  const { code, message } = cause as NodeJS.ErrnoException
  const denied = code === 'EACCES' || code === 'EPERM'
  return new ConfigurationError({
    code: denied ? 'not-permitted' : 'set-up-failed',
    step: `${step} it`,
    problem: denied ? 'permission denied' : message,
    subject: path,
    cure: denied ? 'Run it as root' : undefined,
    cause,
  })
}
