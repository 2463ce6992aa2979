/** Bundle members as no honest guix-daemon sends them, signed by whomever one likes; built without src/wire and src/nar, so that a mistake there is not mirrored. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { signerFromKeys, type Signer } from '../../src/trust/signer.js'
import type { Machine } from '../testbed/machine.js'
import { int, str } from './daemon-script.js'

const memberMark = 0x4558494e

export interface MemberParts {
  readonly archive: Uint8Array
  readonly path: string
  readonly references?: readonly string[]
}

export async function signedMember({ archive, path, references = [] }: MemberParts, signer: Signer): Promise<Buffer> {
  const signed = Buffer.concat([archive, int(memberMark), str(path), int(references.length), ...references.map((reference) => str(reference)), str('')])
  const signature = await signer.sign(createHash('sha256').update(signed).digest())
  return Buffer.concat([signed, int(1), str(signature)])
}

/** Where the 1 and the signature of a member begin, and the signature's text. */
export function signatureOf(member: Buffer): { readonly start: number; readonly text: string } {
  const text = member.lastIndexOf('(signature')
  const length = Number(member.readBigUInt64LE(text - 8))
  return { start: text - 16, text: member.toString('latin1', text, text + length) }
}

export const withSignature = (member: Buffer, text: string): Buffer => Buffer.concat([member.subarray(0, signatureOf(member).start), int(1), str(Buffer.from(text, 'latin1'))])

/** The key that the machine's own daemon signs with: a machine that was taken over lies with a good signature. */
export async function signerOf(machine: Machine): Promise<Signer> {
  return signerFromKeys({ name: 'signing-key.sec', content: await machine.readFile('/etc/guix/signing-key.sec') }, { name: 'signing-key.pub', content: machine.signingKey })
}

/** A key that is in nobody's access-control list. */
export function strangerSigner(): Signer {
  const content = (name: string) => readFileSync(new URL(`../golden/trust/${name}`, import.meta.url))
  return signerFromKeys({ name: 'stranger.sec', content: content('stranger.sec') }, { name: 'stranger.pub', content: content('stranger.pub') })
}
