import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { BuildMachine } from '../plugin-api/index.js'

export type Described = Pick<BuildMachine, 'name' | 'port' | 'user' | 'hostKey' | 'privateKey' | 'daemonSocket' | 'settings'>

/**
 * Changes whenever the description of a machine changes in something that decides whether it can be reached: what is remembered of the machine as it was described before
 * says nothing about it then. A private key that has been replaced counts as well.
 */
export function fingerprint({ user, hostKey, privateKey, daemonSocket, settings = {} }: Described): string {
  const { transport, proxyJump, sshConfig, legacyAlgorithms, hostKeys } = settings
  const what = [user, hostKey, privateKey, stateOf(privateKey), daemonSocket, transport, proxyJump, sshConfig, legacyAlgorithms, hostKeys]
  return createHash('sha256').update(JSON.stringify(what)).digest('base64url').slice(0, 16)
}

function stateOf(file: string | undefined): readonly number[] {
  if (file === undefined) return []
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return [ino, size, mtimeMs]
  } catch {
    return []
  }
}
