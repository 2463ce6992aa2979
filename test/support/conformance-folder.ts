import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from './sshd.js'

/** A home for the conformance suite, with private keys of that type that do not work, each for its own reason. */
export async function conformanceFolder(type: 'ed25519' | 'rsa') {
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-conformance-'))
  const sharedFolder = join(folder, 'shared')
  await mkdir(sharedFolder)
  await chmod(folder, 0o755)
  const keys = { unknown: join(folder, 'unknown'), encrypted: join(folder, 'encrypted'), garbled: join(folder, 'garbled'), missing: join(folder, 'missing') }
  await generateKey(keys.unknown, type)
  await generateKey(keys.encrypted, type, '-N', 'a passphrase')
  await writeFile(keys.garbled, '-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END OPENSSH PRIVATE KEY-----\n')
  return {
    homeDirectory: folder,
    sharedFolder,
    ssh: { keys, otherHostKey: await generateKey(join(folder, 'other_host'), type) },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
