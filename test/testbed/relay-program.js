// Usage: node relay-program.js LISTEN-ADDRESS ADDRESS PORT DELAY-MS. Prints the port it listens on.
// Delays every chunk, every end and every abort by the same time, so their order is kept; the sender is held back once 16 MiB are on their way.
import { connect, createServer } from 'node:net'

const [listenAddress, address, port, delay] = process.argv.slice(2)
const inFlightLimit = 16 * 2 ** 20

const forward = (from, to) => {
  let inFlight = 0
  const later = (action) => setTimeout(action, Number(delay))
  from.on('data', (chunk) => {
    inFlight += chunk.length
    if (inFlight > inFlightLimit) from.pause()
    later(() => {
      to.write(chunk, () => {
        inFlight -= chunk.length
        if (inFlight <= inFlightLimit) from.resume()
      })
    })
  })
  from.on('end', () => later(() => to.end()))
  from.on('error', () => later(() => to.destroy()))
  from.on('close', () => later(() => to.destroySoon()))
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ host: address, port: Number(port), allowHalfOpen: true, noDelay: true })
  forward(near, far)
  forward(far, near)
})
server.listen(0, listenAddress, () => process.stdout.write(`${server.address().port}\n`))
