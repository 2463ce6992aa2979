#!/usr/bin/env node
/**
 * Makes the golden data in this folder. As root:
 *
 *     node generate.js ROOT-OF-GUIX-1.5 ROOT-OF-GUIX-1.2
 *
 * where each ROOT is an unpacked Debian system with Guix (mmdebstrap --include=guix, sid and bullseye). Nothing is written to them: everything runs in an
 * overlay on a tmpfs, in namespaces of its own, without network.
 *
 * `guix authenticate` reads requests `sign LENGTH:KEYFILE LENGTH:HASH` and `verify LENGTH:SIGNATURE`, one a line, and answers each with
 * `CODE LENGTH:TEXT`; the same in both versions.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'

const here = import.meta.dirname
const roots = process.argv.slice(2)
if (roots.length !== 2) throw new Error('usage: generate.js ROOT-OF-GUIX-1.5 ROOT-OF-GUIX-1.2')
const scratch = mkdtempSync(join(tmpdir(), 'golden-trust-'))
const exchange = join(scratch, 'exchange')
for (const folder of ['exchange', 'layer', 'root']) mkdirSync(join(scratch, folder))

/** Runs a shell script in ROOT with /exchange shared. */
function inside(root, script) {
  writeFileSync(join(exchange, 'script'), `set -e\nexport LC_ALL=C GUILE_AUTO_COMPILE=0\n${script}\n`)
  const mounts = `
    set -e
    mount --make-rprivate /
    mount -t tmpfs none ${scratch}/layer
    mkdir ${scratch}/layer/upper ${scratch}/layer/work
    mount -t overlay overlay -o lowerdir=${root},upperdir=${scratch}/layer/upper,workdir=${scratch}/layer/work ${scratch}/root
    mkdir -p ${scratch}/root/exchange
    mount --bind ${exchange} ${scratch}/root/exchange
    mount -t proc proc ${scratch}/root/proc
    mount --rbind /dev ${scratch}/root/dev
    exec chroot ${scratch}/root /bin/sh /exchange/script`
  execFileSync('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--net', '--uts', 'sh', '-c', mounts], { stdio: ['ignore', 'inherit', 'inherit'] })
}

function netstring(text) {
  return `${Buffer.byteLength(text, 'latin1')}:${text}`
}

/** Requests to `guix authenticate` and its replies, as [code, text]. */
function authenticate(root, requests) {
  writeFileSync(join(exchange, 'requests'), requests.map((words) => `${words.join(' ')}\n`).join(''), 'latin1')
  for (const name of ['ecc', 'rsa', 'stranger']) {
    for (const half of ['pub', 'sec']) writeFileSync(join(exchange, `${name}.${half}`), readFileSync(join(here, `${name}.${half}`)))
  }
  writeFileSync(join(exchange, 'acl'), readFileSync(join(here, 'acl')))
  inside(root, 'cp /exchange/acl /etc/guix/acl\nguix authenticate < /exchange/requests > /exchange/replies')
  let rest = readFileSync(join(exchange, 'replies'), 'latin1')
  return requests.map((request) => {
    const head = /^(\d+) (\d+):/.exec(rest)
    if (head === null) throw new Error(`no reply to ${request.join(' ').slice(0, 300)}`)
    const end = head[0].length + Number(head[2])
    const text = rest.slice(head[0].length, end)
    rest = rest.slice(end)
    return [Number(head[1]), text]
  })
}

function makeKeys(root) {
  if (existsSync(join(here, 'ecc.sec'))) return
  const make = (name, parameters) => `guix archive --generate-key${parameters}; mv /etc/guix/signing-key.pub /exchange/${name}.pub; mv /etc/guix/signing-key.sec /exchange/${name}.sec`
  inside(root, [make('ecc', ''), make('rsa', '=\'(genkey (rsa (nbits 4:2048)))\''), make('stranger', ''),
    'rm -f /etc/guix/acl; echo "(acl)" > /etc/guix/acl',
    'guix archive --authorize < /exchange/ecc.pub; guix archive --authorize < /exchange/rsa.pub; cp /etc/guix/acl /exchange/acl'].join('\n'))
  for (const file of ['ecc.pub', 'ecc.sec', 'rsa.pub', 'rsa.sec', 'stranger.pub', 'stranger.sec', 'acl']) {
    writeFileSync(join(here, file), readFileSync(join(exchange, file)))
  }
}

const hex = (text) => Buffer.from(text, 'latin1').toString('hex')
const unusual = [
  '00'.repeat(32), 'ff'.repeat(32), `${'00'.repeat(31)}01`, `7f${'ff'.repeat(31)}`, `00${'41'.repeat(31)}`,
  hex('abcdefghijklmnopqrstuvwxyzABCDEF'), hex('-./_:*+=0123456789abcdefABCDEFxyz'.slice(0, 32)), hex('01234567890123456789012345678901'),
  hex('two words and (parens) #and# |b|'), hex('"quoted" \'single\' \\back\\ \b\t\v\n\f\r!'.padEnd(32, '.').slice(0, 32)),
  hex('Latin-1: \xa1\xe4\xf6\xfc\xdf\xff\xe9\xe8 text, padded.'.padEnd(32, '.').slice(0, 32)), hex(`A${'\xa0'.repeat(31)}`), hex(`A${'\x7f'.repeat(31)}`), hex(`\xe4${'a'.repeat(31)}`),
  hex(`[ a display hint ]${'~'.repeat(14)}`), hex(`%s${'%'.repeat(30)}`),
]
const ordinary = Array.from({ length: 300 }, (_, index) => createHash('sha256').update(`item ${index}`).digest('hex'))

function sign(root) {
  const wanted = [...unusual, ...ordinary].flatMap((hash) => ['ecc', ...(ordinary.indexOf(hash) < 10 ? ['rsa'] : [])].map((key) => ({ key, hash })))
    .concat(ordinary.slice(0, 2).map((hash) => ({ key: 'stranger', hash })))
  const replies = authenticate(root, wanted.map(({ key, hash }) => ['sign', netstring(`/exchange/${key}.sec`), netstring(hash)]))
  return wanted.map((request, index) => {
    const [code, signature] = replies[index]
    if (code !== 0) throw new Error(signature)
    return { ...request, signature }
  })
}

const order = 2n ** 252n + 27742317777372353535851937790883648493n
const asHex = (number) => number.toString(16).toUpperCase().padStart(64, '0')

/** Named alterations of a signature by the ECDSA key. */
function alterations(text) {
  const replace = (name, value) => text.replace(new RegExp(`\\(${name} #[0-9A-F]+#\\)`), `(${name} ${value})`)
  const number = (name) => BigInt(`0x${new RegExp(`\\(${name} #([0-9A-F]+)#\\)`).exec(text)[1]}`)
  const q = /\(q #([0-9A-F]+)#\)/.exec(text)[1]
  const one = text.replace(/\s+/g, ' ').replace(/ \)/g, ')').replace(/\( /g, '(').trim()
  const flip = (name) => replace(name, `#${asHex(number(name) ^ 1n)}#`)
  return {
    'as signed': text,
    'on one line': one,
    'base64 r': replace('r', `|${Buffer.from(asHex(number('r')), 'hex').toString('base64')}|`),
    'lower-case hexadecimal': replace('r', `#${asHex(number('r')).toLowerCase()}#`),
    'r with leading zeros': replace('r', `#0000${asHex(number('r'))}#`),
    'lengths before tokens': one.replace('(flags rfc6979)', '(5:flags7:rfc6979)').replace('sha256', '6:sha256').replace('(curve Ed25519)', '(5:curve 7:Ed25519)'),
    'quoted tokens': one.replace('rfc6979', '"rfc6979"').replace('Ed25519', '"Ed255\\x319"'),
    'r flipped': flip('r'), 's flipped': flip('s'), 'r zero': replace('r', '#00#'), 's zero': replace('s', '#00#'),
    'r of order': replace('r', `#${asHex(order)}#`), 's of order': replace('s', `#${asHex(order)}#`),
    'r plus order': replace('r', `#${asHex(number('r') + order)}#`), 's plus order': replace('s', `#${asHex(number('s') + order)}#`),
    's negated': replace('s', `#${asHex(order - number('s'))}#`),
    'r negated': replace('r', `#${asHex(order - number('r'))}#`),
    'both negated': replace('s', `#${asHex(order - number('s'))}#`).replace(/\(r #[0-9A-F]+#\)/, `(r #${asHex(order - number('r'))}#)`),
    'q with prefix 40': text.replace(q, `40${q}`),
    'q flipped': text.replace(q, q.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))),
    'no public key': text.replace(/\(public-key[^]*$/, ')'),
    'no data': one.replace(/\(data .*?\)\) /, ''),
    'no value': one.replace(/\(sig-val .*?\)\)\) /, ''),
    'end missing': text.trimEnd().slice(0, -1), 'empty': '', 'an atom': 'signature', 'odd digits': replace('r', '#ABC#'),
  }
}

function verdicts(signatures) {
  const pick = (key, index = 0) => signatures.filter((entry) => entry.key === key && ordinary.includes(entry.hash))[index]
  const cases = Object.entries(alterations(pick('ecc').signature)).map(([name, signature]) => ({ name, hash: pick('ecc').hash, signature }))
  const rsa = pick('rsa')
  const digits = /\(s #([0-9A-F]+)#\)/.exec(rsa.signature)[1]
  cases.push(
    { name: 'stranger', hash: pick('stranger').hash, signature: pick('stranger').signature },
    { name: 'hash of another', hash: pick('ecc').hash, signature: pick('ecc').signature.replace(/sha256 #[0-9A-F]+#/, `sha256 #${pick('ecc', 1).hash.toUpperCase()}#`) },
    { name: 'rsa as signed', hash: rsa.hash, signature: rsa.signature },
    { name: 'rsa flipped', hash: rsa.hash, signature: rsa.signature.replace(digits, digits.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))) },
    { name: 'rsa with leading zero', hash: rsa.hash, signature: rsa.signature.replace(digits, `00${digits}`) },
    { name: 'rsa short', hash: rsa.hash, signature: rsa.signature.replace(digits, digits.slice(0, -2)) },
    { name: 'rsa hash of another', hash: rsa.hash, signature: rsa.signature.replace(/sha256 #[0-9A-F]+#/, `sha256 #${pick('rsa', 1).hash.toUpperCase()}#`) },
    { name: 'rsa key, ecdsa value', hash: rsa.hash, signature: `(signature (data (flags rfc6979) (hash sha256 #${rsa.hash}#)) ${/\(sig-val[^]*?\)\s*\)\s*\)/.exec(pick('ecc').signature)[0]} ${/\(public-key[^]*\)/.exec(rsa.signature)[0]}` },
  )
  for (const [index, entry] of signatures.filter(({ hash }) => unusual.includes(hash)).entries()) cases.push({ name: `unusual ${index}`, hash: entry.hash, signature: entry.signature })
  return cases
}

/** Errors of libgcrypt end the process: each case that might gets a process of its own. */
function ask(root, { signature }) {
  try {
    const [[code, text]] = authenticate(root, [['verify', netstring(signature)]])
    return { code, text: code === 0 ? text : text.split(':')[0] }
  } catch {
    return { code: -1, text: 'guix authenticate ended' }
  }
}

try {
  makeKeys(roots[0])
  const [signatures, older] = roots.map(sign)
  if (JSON.stringify(signatures) !== JSON.stringify(older)) throw new Error('the versions of Guix sign differently')
  writeFileSync(join(here, 'signatures.json'), `[\n${signatures.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`)
  const cases = verdicts(signatures).map((entry) => ({ ...entry, guix15: ask(roots[0], entry), guix12: ask(roots[1], entry) }))
  writeFileSync(join(here, 'verdicts.json'), `[\n${cases.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`)
} finally {
  rmSync(scratch, { recursive: true })
}
