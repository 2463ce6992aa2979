/** The shape of the options; a module of its own, so that valibot is only loaded where there are any. */
import * as v from 'valibot'
import { parsePublicKey } from './host-key.js'
import { hostNameOf } from './advert.js'
import { defaults, type Options } from './options.js'

const text = (expected: string, fits: (value: string) => boolean) => v.pipe(v.string(), v.rawCheck(({ dataset, addIssue }) => {
  if (dataset.typed && !fits(dataset.value)) addIssue({ expected })
}))
const path = text('an absolute path', (value) => value.startsWith('/'))
const domain = text('a domain such as example.org', (value) => hostNameOf(value) !== undefined && !/(^|\.)local$/i.test(value))
const number = v.pipe(v.number(), v.rawCheck(({ dataset, addIssue }) => {
  if (dataset.typed && !(dataset.value >= 0 && dataset.value <= 1)) addIssue({ expected: 'a number from 0 to 1' })
}))

const schema = v.strictObject({
  mdns: v.nullish(v.boolean(), defaults.mdns),
  interfaces: v.nullish(v.array(text('the name of a network interface', (value) => /^[^\s/%]{1,15}$/.test(value)))),
  domains: v.nullish(v.array(domain), []),
  knownHosts: v.nullish(path),
  fingerprints: v.nullish(v.array(text('SHA256: and 43 characters, as ssh-keygen -l prints them', (value) => /^SHA256:[A-Za-z0-9+/]{43}$/.test(value))), []),
  certificateAuthorities: v.nullish(v.array(text('a public key, TYPE BASE64', (value) => parsePublicKey(value) !== undefined)), []),
  privateKey: v.nullish(path),
  user: v.nullish(text('the name of an account', (value) => /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/.test(value)), defaults.user),
  emulatedSpeed: v.nullish(number, defaults.emulatedSpeed),
})

export type OptionsCheck = { readonly value: Options } | { readonly path: readonly string[]; readonly problem: string; readonly expected: string; readonly seen: string }

export function checkOptions(input: unknown): OptionsCheck {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return { path: [], problem: 'wrong value', expected: 'keys and values', seen: JSON.stringify(input) }
  const result = v.safeParse(schema, input)
  if (result.success) {
    const { interfaces, knownHosts, privateKey, ...rest } = result.output
    return { value: { ...rest, interfaces: interfaces ?? undefined, knownHosts: knownHosts ?? undefined, privateKey: privateKey ?? undefined } }
  }
  const [issue] = result.issues
  const keys = (issue.path ?? []).map(({ key }) => String(key))
  const unknown = issue.type === 'strict_object' && issue.expected === 'never'
  const problem = unknown ? `unknown key \`${keys.at(-1)}\`` : 'wrong value'
  return { path: keys, problem, expected: unknown ? `one of ${Object.keys(schema.entries).join(', ')}` : (issue.expected ?? 'something else'), seen: issue.received }
}
