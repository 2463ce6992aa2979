import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { MachineError } from '../errors/offload-error.js'
import { memberGrammar } from '../nar/bundle-reader.js'
import { discardingSink } from '../nar/nar-sink.js'
import type { Connection } from '../plugin-api/index.js'
import { completePath } from '../remote-store/remote-guix.js'
import type { RemoteStore } from '../remote-store/remote-store.js'
import { Decoder } from '../wire/byte-feed.js'
import { check, fromMachine } from './fetch-outputs.js'
import type { LocalStore, OffloadPorts } from './ports.js'
import { runCommand } from './run-command.js'
import { importItems } from './send-inputs.js'

/** What an offload needs of a machine, tried on something small that nobody has seen before. */
const nonce = (name: string): string => `${name} ${randomBytes(16).toString('hex')}\n`

const versionScript = `${completePath}
exec guix --version`

/** The version of Guix on the machine, such as `1.5.0`. */
export async function guixVersion(connection: Connection, signal: AbortSignal): Promise<string> {
  const { stdout, stderr, exit } = await runCommand(connection, ['/bin/sh', '-c', versionScript], signal)
  const version = /^guix \(GNU Guix\) (\S+)/m.exec(stdout)?.[1]
  if (exit.code === 0 && version !== undefined) return version
  throw new MachineError({
    code: 'guix-not-found',
    machine: connection.machine.name,
    step: 'asking for the version of Guix',
    problem: '`guix --version` failed',
    expected: 'guix (GNU Guix) VERSION',
    seen: JSON.stringify((stdout + stderr).trim().slice(0, 200)),
    cure: `Install Guix where ${connection.machine.user}'s PATH finds it`,
  })
}

/** Sends a fresh signed item; resolves to its store path. */
export async function tryImport(machine: string, remote: RemoteStore, local: LocalStore, ports: OffloadPorts, signal: AbortSignal): Promise<string> {
  const path = await local.addText('export-test', nonce(hostname()), [])
  const item = { path, info: await local.pathInfo(path) }
  await importItems([item], remote, ports, signal)
  const [missing] = await remote.missing([path])
  if (missing === undefined) return path
  throw new MachineError({
    code: 'import-without-effect', machine, step: 'sending a signed item', problem: `the machine took ${path} but does not have it`,
    cure: 'See the log of guix-daemon there',
  })
}

/**
 * Has a fresh item exported and checks its signature; resolves to its store path. Nothing enters the local store.
 * @param imported - What is exported where no item can be made on the machine.
 */
export async function tryExport(machine: string, remote: RemoteStore, imported: string, ports: OffloadPorts): Promise<string> {
  const path = (await remote.addText?.('import-test', nonce(machine), [])) ?? imported
  const sink = { begin: () => discardingSink, item: () => undefined }
  const decoder = new Decoder('an archive', (feed) => memberGrammar(feed, sink, ports.storeDirectory))
  const item = await fromMachine(machine, path, async () => {
    await remote.exportItem(path, (bytes) => {
      decoder.push(bytes)
    })
    return decoder.end()
  })
  await check(item, path, machine, await ports.loadAcl())
  return path
}
