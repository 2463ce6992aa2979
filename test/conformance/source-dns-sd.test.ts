/** The machine source dns-sd, asked over real mDNS on the loopback interface. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import dnsPacket, { type Answer } from 'dns-packet'
import { readFile } from 'node:fs/promises'
import { machineSourceConformance } from '../../src/plugin-api/testing/index.js'
import { createSource } from '../../plugins/machines-dns-sd/src/source.js'
import { hostFor } from '../unit/machines-scm/host.js'
import { newHostKey, recordsOf } from '../unit/machines-dns-sd/records.js'

const group = '224.0.0.251'
const port = 5353
const hostKey = { b1: newHostKey(), b2: newHostKey() }
const said = (name: 'b1' | 'b2', address: string, ...more: string[]) => recordsOf(name, ['txtvers=1', 'systems=x86_64-linux', `hostkey=${hostKey[name]}`, ...more], { address })

machineSourceConformance('dns-sd', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'source-dns-sd-'))
  const pins = join(folder, 'pins')
  await writeFile(pins, `b1.local ${hostKey.b1}\nb2.local ${hostKey.b2}\n`)
  const good = [...said('b1', '198.51.100.1'), ...said('b2', '198.51.100.2', 'speed=2')]
  const wrong = recordsOf('b3', ['systems=x86_64-linux', 'jobs=many'], { address: '198.51.100.3' })
  let answers = good
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.on('message', (message, from) => {
    const { id, questions = [], type } = dnsPacket.decode(message)
    if (type !== 'query' || answers.length === 0 || !questions.some(({ name }) => name.startsWith('_guix-offload._tcp'))) return
    const reply = dnsPacket.encode({ type: 'response', id: id ?? 0, flags: dnsPacket.AUTHORITATIVE_ANSWER, answers: answers as Answer[] })
    if (from.port === port) socket.send(reply, port, group)
    else socket.send(reply, from.port, from.address)
  })
  socket.bind(port)
  await once(socket, 'listening')
  socket.addMembership(group, '127.0.0.1')
  socket.setMulticastInterface('127.0.0.1')
  return {
    source: createSource({ ...hostFor([], { interfaces: ['lo'], knownHosts: pins }), readTrustedFile: (path) => readFile(path, 'utf8') }),
    context: { configurationDirectory: folder, homeDirectory: '/root', environment: {} },
    machines: [{ name: 'b1.local', port: 22 }, { name: 'b2.local', port: 22 }],
    async spoilEntry() { answers = [...good, ...wrong] },
    spoilEverything: () => rename(pins, `${pins}.away`),
    async silence() { answers = [] },
    async restore() {
      answers = good
      await rename(`${pins}.away`, pins).catch(() => undefined)
    },
    async stop() {
      socket.close()
      await rm(folder, { recursive: true })
    },
  }
})
