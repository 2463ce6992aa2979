/** The service file of Avahi (avahi.service(5)), which avahi-daemon announces as long as it is there. */
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConfigurationError } from '../../errors/offload-error.js'
import { replaceFile } from '../../state/replace-file.js'
import { serviceType, txtStrings, type Advertisement } from './advertisement.js'

export const serviceFile = '/etc/avahi/services/guix-offload.service'
const mark = 'Written by guix-offload advertise.'
const step = 'installing the service file of Avahi'

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

export function serviceXml(advertisement: Advertisement): string {
  return [
    '<?xml version="1.0" encoding="utf-8" standalone="no"?>',
    '<!DOCTYPE service-group SYSTEM "avahi-service.dtd">',
    `<!-- ${mark} -->`,
    '<service-group>',
    '  <name replace-wildcards="yes">%h</name>',
    '  <service>',
    `    <type>${serviceType}</type>`,
    `    <port>${advertisement.port}</port>`,
    ...txtStrings(advertisement).map((each) => `    <txt-record>${escaped(each)}</txt-record>`),
    '  </service>',
    '</service-group>',
    '',
  ].join('\n')
}

/**
 * As a whole or not at all: Avahi reads it as soon as it is there.
 * @param root `/`, or another one for tests
 * @returns false: it is there already, word for word
 * @throws ConfigurationError `service-file-not-written`, `service-file-foreign`
 */
export async function installServiceFile(root: string, xml: string): Promise<boolean> {
  const path = join(root, serviceFile)
  const before = await ours(path)
  if (before === xml) return false
  try {
    // Its temporary name does not end in .service, and Avahi does not read it.
    await replaceFile(path, xml)
    return true
  } catch (cause) {
    throw notWritten(cause, path)
  }
}

/** @returns false: there is none */
export async function removeServiceFile(root: string): Promise<boolean> {
  const path = join(root, serviceFile)
  if ((await ours(path)) === undefined) return false
  try {
    await rm(path)
    return true
  } catch (cause) {
    throw notWritten(cause, path)
  }
}

/** What somebody else has written stays. */
async function ours(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw notWritten(error, path)
  })
  if (text === undefined || text.includes(mark)) return text
  throw new ConfigurationError({ code: 'service-file-foreign', step, problem: 'somebody else has written that file', subject: path, cure: 'Move it out of the way if it is not needed any more' })
}

function notWritten(cause: unknown, path: string): ConfigurationError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  const cure = code === 'ENOENT' ? `Install Avahi (${dirname(serviceFile)} is not there), or announce the machine with --foreground` : code === 'EACCES' ? 'Run this as root' : undefined
  return new ConfigurationError({ code: 'service-file-not-written', step, problem: `it cannot be written (${code})`, subject: path, cure, cause })
}
