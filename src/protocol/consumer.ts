/** Takes bytes, which it may keep. The daemon is not read from while it is busy. */
export type Consumer = (bytes: Uint8Array) => void | Promise<void>
