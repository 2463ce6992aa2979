import { readFileSync } from 'node:fs'
import type { SexpOrigin } from '../../../src/trust/sexp.js'
import { signerFromKeys } from '../../../src/trust/signer.js'
import type { Signer } from '../../../src/trust/signer.js'

/** Data made by real Guix; see the folder's README. */
export function golden(name: string): Buffer {
  return readFileSync(new URL(`../../golden/trust/${name}`, import.meta.url))
}

export interface GoldenSignature {
  readonly key: string
  readonly hash: string
  readonly signature: string
}

export interface Verdict {
  readonly name: string
  readonly hash: string
  readonly signature: string
  readonly guix15: { readonly code: number; readonly text: string }
}

export const signatures = JSON.parse(golden('signatures.json').toString('utf8')) as GoldenSignature[]
export const verdicts = JSON.parse(golden('verdicts.json').toString('utf8')) as Verdict[]

export function signer(name: string): Signer {
  return signerFromKeys({ name: `${name}.sec`, content: golden(`${name}.sec`) }, { name: `${name}.pub`, content: golden(`${name}.pub`) })
}

export const origin: SexpOrigin = { name: 'test', step: 'testing', code: 'malformed-test', fault: 'trust' }
