// Usage: node dns-server.js DOMAIN HOST PORT TXT…. A name server on port 53 that knows one build machine of one domain. Prints `ready`.
import { createSocket } from 'node:dgram'
import dnsPacket from 'dns-packet'

const [domain, host, port, ...txt] = process.argv.slice(2)
const type = `_guix-offload._tcp.${domain}`
const instance = `builder.${type}`
const records = [
  { name: type, type: 'PTR', ttl: 60, data: instance },
  { name: instance, type: 'SRV', ttl: 60, data: { target: host, port: Number(port), priority: 0, weight: 0 } },
  { name: instance, type: 'TXT', ttl: 60, data: txt },
]
const socket = createSocket('udp4')
socket.on('message', (message, from) => {
  const { id, questions } = dnsPacket.decode(message)
  const answers = records.filter((record) => questions.some((each) => each.name.toLowerCase() === record.name && each.type === record.type))
  const flags = dnsPacket.AUTHORITATIVE_ANSWER | (answers.length === 0 ? 3 : 0)
  socket.send(dnsPacket.encode({ type: 'response', id, flags, questions, answers }), from.port, from.address)
})
socket.bind(53, () => console.log('ready'))
