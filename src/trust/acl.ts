import { parseSexp } from './parse-sexp.js'
import { keyId, publicKeyFromSexp } from './public-key.js'
import type { KeyIdentity, PublicKey } from './public-key.js'
import { list } from './sexp.js'
import type { SexpOrigin , SexpDocument } from './sexp.js'

/**
 * The keys whose archives may be imported, from the SPKI-like file that `guix archive --authorize` maintains:
 *
 *     (acl (entry (public-key …) (tag (guix import))) …)
 *
 * An entry may hold several keys. An entry with any other tag authorises nothing. Keys of any kind may stand in it: here they are only compared.
 */
export interface Acl {
  readonly keys: readonly PublicKey[]
  has(key: KeyIdentity): boolean
}

const importTag = keyId(list('tag', list('guix', 'import')))

export function aclOf(keys: readonly PublicKey[]): Acl {
  const byId = new Map(keys.map((key) => [key.id, key]))
  return { keys: [...byId.values()], has: (key) => byId.has(key.id) }
}

/** @throws ConfigurationError `malformed-acl` with line and column */
export function parseAcl(source: Uint8Array | string, name: string): Acl {
  const origin: SexpOrigin = {
    name, step: 'reading the access-control list', code: 'malformed-acl', fault: 'configuration',
    cure: 'Mend the file, or move it away and authorise the keys again with `guix archive --authorize`',
  }
  const document = parseSexp(source, origin)
  return aclOf(document.expectList(document.root, 'acl').flatMap((entry) => keysOfEntry(document, entry)))
}

function keysOfEntry(document: SexpDocument, entry: SexpDocument['root']): PublicKey[] {
  const items = document.expectList(entry, 'entry')
  const tag = document.expectOne(items, 'tag', entry)
  const subjects = items.filter((item) => item !== tag)
  if (subjects.length === 0) throw document.fail('an entry without key', entry)
  const keys = subjects.map((subject) => publicKeyFromSexp(document, subject))
  return keyId(tag) === importTag ? keys : []
}
