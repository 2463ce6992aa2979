import { execa } from 'execa'
import type { Holder } from './holder.js'

/**
 * The network of one bed: a bridge in a namespace of the bed's own, one veth pair per machine. Nothing is connected to the host, so every bed
 * can use the same addresses.
 */
export const bridgeAddress = '10.99.0.1'
export const addressOf = (index: number) => `10.99.0.${10 + index}`
const portOf = (index: number) => `port${index}`

export const bridgeSetUp = [
  'ip link set lo up',
  'ip link add bridge type bridge stp_state 0 forward_delay 0',
  `ip address add ${bridgeAddress}/24 dev bridge`,
  'ip link set bridge up',
].join('\n')

const inNetworkOf = (holder: Holder, ...command: readonly string[]) => execa('nsenter', [`--net=/proc/${holder.pid}/ns/net`, '--', ...command])

/** Plugs a machine in. The peer is moved by the host's pid of the machine's holder, hence only the network namespace is entered. */
export const plug = async (bed: Holder, machine: Holder, index: number) => {
  const port = portOf(index)
  const lines = [`ip link add ${port} type veth peer name eth0 netns ${machine.pid}`, `ip link set ${port} master bridge up`]
  await inNetworkOf(bed, 'sh', '-ec', lines.join('\n'))
  const inside = [`ip address add ${addressOf(index)}/24 dev eth0`, 'ip link set eth0 up', 'ip route add default dev eth0']
  await inNetworkOf(machine, 'sh', '-ec', inside.join('\n'))
}

/** Down: packets vanish without a trace on either side (no FIN, no RST), as with a cut cable. */
export const setLink = (bed: Holder, index: number, state: 'up' | 'down') => inNetworkOf(bed, 'ip', 'link', 'set', portOf(index), state)

/** Limits both directions of a machine's link; `rate` in tc's notation (`10mbit`), undefined for no limit. */
export const setBandwidth = async (bed: Holder, machine: Holder, index: number, rate: string | undefined) => {
  const ends = [[bed, portOf(index)], [machine, 'eth0']] as const
  for (const [holder, device] of ends) {
    await (rate === undefined
      ? inNetworkOf(holder, 'sh', '-c', `tc qdisc delete dev ${device} root 2> /dev/null || true`)
      : inNetworkOf(holder, 'tc', 'qdisc', 'replace', 'dev', device, 'root', 'tbf', 'rate', rate, 'burst', '64kb', 'latency', '100ms'))
  }
}
