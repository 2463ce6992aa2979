// Usage: node hostile-mdns.js OWN-ADDRESS NAME HOST-KEY. Answers every question for build machines with all that a liar can think of, NAME and HOST-KEY being those of
// an honest machine. Prints `ready`.
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import dnsPacket from 'dns-packet'

const [own, name, hostKey] = process.argv.slice(2)
const type = '_guix-offload._tcp.local'
const otherKey = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), randomBytes(32)]).toString('base64')}`

const records = (label, { host = `${label}.local`, key = otherKey, txt = [], port = 22, address = own } = {}) => [
  { name: type, type: 'PTR', ttl: 4500, data: `${label}.${type}` },
  { name: `${label}.${type}`, type: 'SRV', ttl: 120, data: { target: host, port } },
  { name: `${label}.${type}`, type: 'TXT', ttl: 4500, data: ['txtvers=1', 'systems=x86_64-linux', `hostkey=${key}`, ...txt] },
  { name: host, type: 'A', ttl: 120, data: address },
]
const many = Array.from({ length: 3000 }, (_, index) => records(`m${index}`)).flat()
const header = (answers) => Buffer.from([0, 0, 0x84, 0, 0, 0, 0, answers, 0, 0, 0, 0])
const tail = Buffer.from([0, 12, 0, 1, 0, 0, 0, 120, 0, 2, 0xc0, 12])

/** Ready-made packets; the number of the question goes into their first two bytes. */
const packets = [
  // Another machine's name: with a key of our own, with its key and our address, and its key under a name of ours.
  { answers: records(name, { host: `${name}.local` }) },
  { answers: records(`${name} too`, { host: `${name}.local`, key: hostKey, txt: ['speed=1000', 'user=eve'] }) },
  { answers: records('evil', { key: hostKey }) },
  { answers: [{ name: type, type: 'PTR', ttl: 0, data: `${name}.${type}` }] },
  // Names that draw, hide, or mean something to a shell or a file system.
  { answers: records('\u001b[2J\u0007 draws', { host: '\u001b]0;x\u0007.local' }) },
  { answers: records('\u202etfel\u0000', { host: 'fine.local' }) },
  { answers: records('option', { host: '-oProxyCommand=touch$IFS/tmp/owned.local' }) },
  { answers: records('path', { host: '../../../etc/passwd.local' }) },
  { answers: records('shell', { host: '$(id).local' }) },
  // Wrong values.
  { answers: records('wrong', { txt: ['speed=1e308', 'jobs=-1', 'user=-x', 'socket=../x', 'threshold=NaN'] }) },
  { answers: records('oversized', { txt: Array.from({ length: 200 }, (_, index) => `x${index}=${'y'.repeat(200)}`) }) },
  // More than anybody has.
  ...Array.from({ length: 100 }, (_, index) => ({ answers: many.slice(index * 120, index * 120 + 120) })),
  { answers: Array.from({ length: 1500 }, (_, index) => ({ name: type, type: 'PTR', ttl: 120, data: `p${index}.${type}` })) },
].map((packet) => dnsPacket.encode({ type: 'response', flags: dnsPacket.AUTHORITATIVE_ANSWER, ...packet }))
// No packets at all, and names that lead in circles.
packets.push(Buffer.alloc(0), Buffer.from([1]), randomBytes(600), header(255), Buffer.concat([header(1), Buffer.from([0xc0, 12]), tail]), Buffer.concat([header(2), Buffer.from([1, 97, 0xc0, 14, 0xc0, 12]), tail]), Buffer.alloc(60_000, 0xc0))

const socket = createSocket({ type: 'udp4', reuseAddr: true })
socket.on('error', () => undefined)
socket.on('message', (message, from) => {
  let question
  try {
    question = dnsPacket.decode(message)
  } catch {
    return
  }
  if (question.type !== 'query' || from.address === own || !question.questions.some((each) => each.name.endsWith(type))) return
  const [port, address] = from.port === 5353 ? [5353, '224.0.0.251'] : [from.port, from.address]
  for (const packet of packets) {
    const answer = Buffer.from(packet)
    if (answer.length > 1) answer.writeUInt16BE(question.id)
    socket.send(answer, port, address)
  }
})
socket.bind(5353, () => {
  socket.addMembership('224.0.0.251', own)
  socket.setMulticastInterface(own)
  socket.setMulticastTTL(255)
  console.log('ready')
})
