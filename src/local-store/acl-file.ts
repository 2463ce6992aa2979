import { join } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'
import { aclOf, parseAcl } from '../trust/acl.js'
import type { Acl } from '../trust/acl.js'
import { readKeyFile } from './key-file.js'
import { readOwnPublicKey } from './signing-key.js'

const step = 'reading the access-control list'

/**
 * The keys authorised for imports: `acl` in Guix's configuration folder. Where there is none, Guix starts one with this machine's own key; so do we,
 * without writing it.
 * @throws ConfigurationError `acl-unreadable`, `malformed-acl`, `malformed-key`, `key-file-unreadable`
 */
export async function readAcl(configurationDirectory: string): Promise<Acl> {
  const name = join(configurationDirectory, 'acl')
  const file = await readKeyFile(name, step)
  if (file === 'forbidden') {
    throw new ConfigurationError({ code: 'acl-unreadable', step, problem: 'no permission', subject: name, cure: `It holds public keys only: chmod 644 ${name}` })
  }
  if (file !== 'missing') return parseAcl(file.content, name)
  const own = await readOwnPublicKey(configurationDirectory)
  return aclOf(own === undefined ? [] : [own])
}
