import * as v from 'valibot'
import { parseDuration, parseSize } from './units.js'
import { nearestName } from './nearest-name.js'

/**
 * The shape of the configuration file. Defaults are elsewhere (`configuration.ts`), so that this module, and valibot with it, is only loaded when
 * there is a file. Every value may be left empty, which YAML reads as null.
 */
const maxMs = 24 * 3_600_000

function parsed(expected: string, parse: (input: unknown) => number | undefined) {
  return v.pipe(v.unknown(), v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
    const value = parse(dataset.value)
    if (value !== undefined) return value
    addIssue({ expected })
    return NEVER
  }))
}

const duration = parsed('a time from 1ms to 24h, such as 500ms, 10s or 2m', (input) => {
  const ms = parseDuration(input)
  return ms !== undefined && ms >= 1 && ms <= maxMs ? ms : undefined
})
const size = parsed('a size such as 100MiB', parseSize)
const count = parsed('a whole number from 1 to 1000', (input) => (typeof input === 'number' && Number.isInteger(input) && input >= 1 && input <= 1000 ? input : undefined))
const name = v.pipe(v.string(), v.rawCheck(({ dataset, addIssue }) => {
  if (dataset.typed && dataset.value === '') addIssue({ expected: 'a name' })
}))
const jump = v.pipe(v.string(), v.rawCheck(({ dataset, addIssue }) => {
  // No leading dash: the value may become an argument of ssh.
  if (dataset.typed && !/^(?:[^\s@:-][^\s@:]*@)?(?:\[[0-9A-Fa-f:.%a-z]+\]|[^\s@:\-[\]][^\s@:[\]]*)(?::\d{1,5})?$/.test(dataset.value)) addIssue({ expected: '[USER@]HOST[:PORT]' })
}))
/** `ssh -F` takes the word none for no file at all. */
const sshConfig = v.pipe(v.union([v.boolean(), v.string()]), v.rawCheck(({ dataset, addIssue }) => {
  if (dataset.typed && typeof dataset.value === 'string' && !dataset.value.startsWith('/')) addIssue({ expected: 'true, false or an absolute path' })
}))

const timeouts = v.strictObject({
  connect: v.nullish(duration), handshake: v.nullish(duration), keepAlive: v.nullish(duration), keepAliveMisses: v.nullish(count), stall: v.nullish(duration),
})
const machine = v.strictObject({
  transport: v.nullish(name), proxyJump: v.nullish(jump), sshConfig: v.nullish(sshConfig), legacyAlgorithms: v.nullish(v.boolean()),
  hostKeys: v.nullish(v.array(name)), disabled: v.nullish(v.boolean()),
})
const configuration = v.strictObject({
  transport: v.nullish(name),
  scheduler: v.nullish(name),
  sources: v.nullish(v.array(name)),
  onUnreachable: v.nullish(v.picklist(['local', 'wait'])),
  offloadOnward: v.nullish(v.boolean()),
  minimumFreeSpace: v.nullish(size),
  timeouts: v.nullish(timeouts),
  machines: v.nullish(v.record(v.string(), v.nullish(machine))),
  plugins: v.nullish(v.record(v.string(), v.unknown())),
})

export type ConfigurationFile = v.InferOutput<typeof configuration>
export type MachineEntry = v.InferOutput<typeof machine>

/** What is wrong with a value; `path` is its keys. */
export interface Mistake {
  readonly path: readonly string[]
  readonly problem: string
  readonly expected?: string | undefined
  readonly seen?: string | undefined
}

export function checkConfiguration(input: unknown): { readonly value: ConfigurationFile } | { readonly mistakes: readonly Mistake[] } {
  // Valibot takes lists for objects.
  if (Array.isArray(input)) return { mistakes: [{ path: [], problem: 'wrong value', expected: 'keys and values', seen: 'a list' }] }
  const result = v.safeParse(configuration, input)
  return result.success ? { value: result.output } : { mistakes: result.issues.map(mistake) }
}

function mistake(issue: v.BaseIssue<unknown>): Mistake {
  const path = (issue.path ?? []).map(({ key }) => String(key))
  const key = path.at(-1)
  if (issue.type === 'strict_object' && issue.expected === 'never' && key !== undefined) {
    const known = knownKeys(path)
    const near = nearestName(key, known)
    return {
      path, problem: `unknown key \`${key}\`${near === undefined ? '' : `, did you mean \`${near}\`?`}`,
      expected: `one of ${known.join(', ')}`,
    }
  }
  return { path, problem: 'wrong value', expected: issue.expected ?? undefined, seen: issue.received }
}

/** Every key there can be, `*` standing for names: for checking what is written about them. */
export function configurationKeys(): string[] {
  return Object.keys(configuration.entries).flatMap((key) => {
    if (key === 'timeouts') return Object.keys(timeouts.entries).map((name) => `timeouts.${name}`)
    if (key === 'machines') return Object.keys(machine.entries).map((name) => `machines.*.${name}`)
    return key === 'plugins' ? ['plugins.*'] : [key]
  })
}

function knownKeys(path: readonly string[]): string[] {
  if (path.length === 1) return Object.keys(configuration.entries)
  return Object.keys(path[0] === 'timeouts' ? timeouts.entries : machine.entries)
}
