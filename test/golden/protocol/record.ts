/** Records one conversation for every operation with the daemon at SOCKET. README.md says how to run it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { ByteChannel } from '../../../src/protocol/byte-channel.js'
import { DaemonSession } from '../../../src/protocol/daemon-session.js'
import { DuplexChannel } from '../../../src/remote-store/duplex-channel.js'
import { type Facts, type Material, operations, perform, text, textName } from './operations.js'

type Step = { client: string } | { daemon: string }

/** Notes what passes, runs in one direction joined. */
class RecordingChannel implements ByteChannel {
  readonly #passed: { from: 'client' | 'daemon'; bytes: Buffer }[] = []

  constructor(private readonly channel: ByteChannel) {}

  get steps(): Step[] {
    return this.#passed.map(({ from, bytes }) => (from === 'client' ? { client: bytes.toString('base64') } : { daemon: bytes.toString('base64') }))
  }

  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.channel.read()
    if (bytes !== undefined) this.#note('daemon', bytes)
    return bytes
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#note('client', bytes)
    return this.channel.write(bytes)
  }

  close(): void {
    this.channel.close()
  }

  #note(from: 'client' | 'daemon', bytes: Uint8Array): void {
    const before = this.#passed.at(-1)
    if (before?.from === from) before.bytes = Buffer.concat([before.bytes, bytes])
    else this.#passed.push({ from, bytes: Buffer.from(bytes) })
  }
}

async function bundle(socket: string): Promise<Buffer> {
  const session = await DaemonSession.open(new DuplexChannel(createConnection(socket)))
  const path = await session.addTextToStore(textName, text, [])
  const parts: Uint8Array[] = [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])]
  await session.exportPath(path, (bytes) => void parts.push(Buffer.from(bytes)))
  session.close()
  return Buffer.concat([...parts, Buffer.alloc(8)])
}

const [socket, foreignSocket, factsFile, version, output] = process.argv.slice(2)
if (socket === undefined || foreignSocket === undefined || factsFile === undefined || version === undefined || output === undefined) {
  throw new Error('usage: record.ts SOCKET SOCKET-OF-A-STRANGER FACTS-FILE VERSION OUTPUT')
}
const facts = JSON.parse(readFileSync(factsFile, 'utf8')) as Facts
const material: Material = { facts, foreignBundle: await bundle(foreignSocket), ownBundle: await bundle(socket) }
const conversations = []
for (const name of Object.keys(operations)) {
  const channel = new RecordingChannel(new DuplexChannel(createConnection(socket)))
  const session = await DaemonSession.open(channel)
  const outcome = await perform(name, session, material)
  session.close()
  conversations.push({ name, outcome, steps: channel.steps })
}
const bundles = { foreignBundle: material.foreignBundle.toString('base64'), ownBundle: material.ownBundle.toString('base64') }
writeFileSync(output, `${JSON.stringify({ guix: version, facts, ...bundles, conversations }, null, 1)}\n`)
