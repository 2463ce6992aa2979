import { uint32, wireString } from 'guix-offload-ssh-common/wire.js'

/** Messages of SSH's connection protocol (RFC 4254, 9) with their numbers, and how they are written. */
export const message = {
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const

/** lsh takes no message above 32 KiB; a channel's data is a little less. */
export const maxMessage = 32_000

/** The first field is the message's number, a byte; after it a number is a uint32, a string or buffer a string, a boolean a byte. */
export type Field = number | string | boolean | Buffer

/** With the length in front that the gateway wants. */
export function encode(fields: readonly Field[]): Buffer {
  const parts = fields.map((field, index) => {
    if (typeof field === 'boolean') return Buffer.from([field ? 1 : 0])
    if (typeof field === 'number') return index === 0 ? Buffer.from([field]) : uint32(field)
    return wireString(typeof field === 'string' ? Buffer.from(field, 'utf8') : field)
  })
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([uint32(length), ...parts])
}
