/** Adverts and keys for tests. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Advert } from '../../../plugins/machines-dns-sd/src/advert.js'
import { serviceName, type HeardRecord } from '../../../plugins/machines-dns-sd/src/collector.js'

const sshString = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])

/** A new host key, `ssh-ed25519 BASE64`. */
export function newHostKey(): string {
  const { publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  return `ssh-ed25519 ${Buffer.concat([sshString(Buffer.from('ssh-ed25519')), sshString(raw)]).toString('base64')}`
}

export const advert = (changes: Partial<Advert> & { readonly hostKey?: string } = {}): Advert => {
  const { hostKey, ...rest } = changes
  const txt = ['txtvers=1', 'systems=x86_64-linux', ...(hostKey === undefined ? [] : [`hostkey=${hostKey}`])]
  return { instance: 'beta', host: 'beta.local', port: 22, txt, addresses: ['10.0.0.2'], via: 'mdns', heardAt: 1000, firstHeardAt: 1000, ...rest }
}

/** The records of one machine, as avahi-daemon sends them. */
export function recordsOf(name: string, txt: readonly string[] = ['systems=x86_64-linux'], { port = 22, address = '10.0.0.2', host = `${name}.local` } = {}): HeardRecord[] {
  const instance = `${name}.${serviceName}`
  return [
    { name: serviceName, type: 'PTR', ttl: 4500, data: instance },
    { name: instance, type: 'SRV', ttl: 120, data: { target: host, port } },
    { name: instance, type: 'TXT', ttl: 4500, data: txt.map((each) => Buffer.from(each)) },
    { name: host, type: 'A', ttl: 120, data: address },
  ]
}

/** A certificate by ssh-keygen, for a new key: `{ hostKey, certificate, authority }`. */
export function certificateBy(authorityType: 'ed25519' | 'rsa' | 'ecdsa', principals: string, options: readonly string[] = ['-h']) {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'))
  try {
    const make = (name: string, type: string): void => void execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', join(folder, name)])
    make('ca', authorityType)
    make('host', 'ed25519')
    execFileSync('ssh-keygen', ['-q', '-s', join(folder, 'ca'), '-I', 'test', ...options, ...(principals === '' ? [] : ['-n', principals]), join(folder, 'host.pub')], { stdio: 'pipe' })
    const words = (file: string): string[] => readFileSync(join(folder, file), 'utf8').trim().split(' ')
    return { hostKey: words('host.pub').slice(0, 2).join(' '), certificate: words('host-cert.pub')[1] ?? '', authority: words('ca.pub').slice(0, 2).join(' ') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
