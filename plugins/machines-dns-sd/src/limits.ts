/**
 * What strangers may make us do. Anybody on the network can answer a question over mDNS, with anything, so that every list, text and time has a ceiling. What is above
 * it is left out; it is never an error.
 */
export const limits = {
  /** Packets looked at for one question, from everybody together and from one sender. */
  packets: 1000,
  packetsOfSender: 100,
  /** RFC 6762, section 17: no packet is larger. */
  packetBytes: 9000,
  /** Records looked at in one packet; a machine needs four or five. */
  recordsInPacket: 200,
  /** Senders listened to, and machines of one sender. A sender can only spoil what it says itself. */
  senders: 256,
  machinesOfSender: 16,
  /** Machines altogether, used or not. */
  machines: 256,
  addressesOfMachine: 8,
  /** RFC 6763, section 6.2: a TXT record should not exceed 1300 bytes; Avahi stops there too. */
  txtBytes: 1300,
  /** Network interfaces asked on; two or four sockets each. */
  interfaces: 16,
  /** What is remembered on disk. */
  cacheBytes: 1024 * 1024,
} as const

/** Milliseconds. */
export const times = {
  /** A hook that knows nothing yet waits this long at most for the first answers, and stops once none has come for `quiet`. */
  firstWait: 300,
  quiet: 90,
  /** A whole question, with its repetitions: what has not answered by then is not there. */
  wholeWait: 1500,
  /** When the question is repeated: packets get lost, and RFC 6762 has no one multicast the same record twice in a second. */
  repetitions: [250, 650, 1150],
  /** What was heard is good for a hook without asking anew, and good at all. */
  fresh: 20_000,
  usable: 300_000,
  /** Where somebody shouts others down, what was heard that long ago stays. */
  grace: 60_000,
  /** One process asks for all; one that has not finished by then has died. */
  refreshing: 5000,
} as const
