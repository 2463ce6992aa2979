/** How long a build may take, by how long builds have taken lately: read off the end of the history. Failing to read it is never an error. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** Some five hundred builds. */
const lookedAtBytes = 256 * 1024

/**
 * Seconds on a machine of speed 1: the mean of builds of the same package, whatever its version, or of all builds if there was none; undefined if nothing was built.
 * @param speedOf of a machine, by `NAME:PORT`; what machines have built whose speed is not known does not count
 */
export async function expectedSeconds(stateDirectory: string, derivation: string, speedOf: (machine: string) => number | undefined): Promise<number | undefined> {
  const wanted = packageName(derivation)
  const [same, all]: [number[], number[]] = [[], []]
  for (const line of (await tail(join(stateDirectory, 'offload', 'history.jsonl'))).split('\n')) {
    const build = parse(line)
    const speed = build === undefined ? undefined : speedOf(build.machine)
    if (build === undefined || speed === undefined) continue
    all.push(build.seconds * speed)
    if (packageName(build.derivation) === wanted) same.push(build.seconds * speed)
  }
  return mean(same.length > 0 ? same : all)
}

interface Build {
  readonly derivation: string
  readonly machine: string
  readonly seconds: number
}

function parse(line: string): Build | undefined {
  // Most of what a line holds is of no interest here.
  if (!line.includes('"built"')) return undefined
  try {
    const { derivation, machine, outcome, seconds } = JSON.parse(line) as Readonly<Record<string, unknown>>
    const build = (seconds as { readonly build?: unknown } | undefined)?.build
    if (outcome !== 'built' || typeof derivation !== 'string' || typeof machine !== 'string' || typeof build !== 'number' || !(build >= 0)) return undefined
    return { derivation, machine, seconds: build }
  } catch {
    // The first line is cut, as a rule.
    return undefined
  }
}

/** `/gnu/store/…-hello-2.12.2.drv` → `hello`: up to the first dash before a digit, as Guix tells names from versions. */
function packageName(derivation: string): string {
  const name = derivation.slice(derivation.lastIndexOf('/') + 1).replace(/^[0-9a-z]{32}-/, '').replace(/\.drv$/, '')
  return name.replace(/-\d.*$/, '')
}

/** Not the median: of a package that may take a minute or an hour, the hour is what matters. */
function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length
}

async function tail(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined)
  try {
    if (file === undefined) return ''
    const { size } = await file.stat()
    const start = Math.max(0, size - lookedAtBytes)
    const buffer = Buffer.alloc(size - start)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return ''
  } finally {
    await file?.close().catch(() => undefined)
  }
}
