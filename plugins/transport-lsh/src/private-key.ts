import { join } from 'node:path'
import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { encryptedKey, invalidKey, keyFailure, noUsualKey, readKeyFile } from 'guix-offload-ssh-common/private-key-file.js'
import { describeKey } from './host-key.js'
import { convertPrivateKey, type Unusable } from './rsa-private-key.js'

export interface PrivateKey {
  readonly path: string
  /** What lsh reads. Secret. */
  readonly identity: Buffer
  /** For people. */
  readonly description: string
}

const usualPlaces = [['.lsh', 'identity'], ['.ssh', 'id_rsa']] as const

/** The key the machine names, or the first of the usual ones that can be used. lsh takes one. */
export async function loadPrivateKey(failures: Failures, homeDirectory: string): Promise<PrivateKey> {
  const named = failures.machine.privateKey
  if (named !== undefined) return readPrivateKey(failures, named)
  const problems: OffloadFailure[] = []
  const paths = usualPlaces.map((place) => join(homeDirectory, ...place))
  for (const path of paths) {
    try {
      return await readPrivateKey(failures, path)
    } catch (error) {
      if (!failures.is(error)) throw error
      if (error.code !== 'private-key-missing') problems.push(error)
    }
  }
  throw problems[0] ?? noUsualKey(failures, paths, 'rsa')
}

async function readPrivateKey(failures: Failures, path: string): Promise<PrivateKey> {
  const key = convertPrivateKey(await readKeyFile(failures, path))
  if ('unusable' in key) throw unusable(failures, path, key)
  return { path, identity: key.identity, description: key.publicBlob === undefined ? 'in lsh\'s format' : describeKey(key.publicBlob) }
}

function unusable(failures: Failures, subject: string, { unusable: kind, detail }: Unusable): OffloadFailure {
  const invalid = (problem: string, cure: string) => keyFailure(failures, subject, { code: invalidKey, problem, cure })
  switch (kind) {
    case 'encrypted':
      return keyFailure(failures, subject, encryptedKey(subject, 'ssh-keygen -t rsa -N \'\' or lsh-keygen | lsh-writekey -c none'))
    case 'public':
      return invalid('it holds a public key', 'Name the file with the private half')
    case 'other-type':
      return invalid(`lsh can use RSA keys only, and this is of type ${detail}`, 'Make one with `ssh-keygen -t rsa -N \'\'` and name it in the machine\'s entry (private-key)')
    case 'unknown':
      return invalid(`it is not a private key we can read (${detail})`, 'RSA keys in files of lsh, of OpenSSH and in PEM can be read; `ssh-keygen -l -f FILE` shows what it is')
  }
}
