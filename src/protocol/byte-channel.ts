/** A stream of bytes in both directions, with back-pressure both ways. What a session speaks over; made from a socket by the layers above. */
export interface ByteChannel {
  /**
   * The next bytes, in any split; undefined once the peer has ended its side. Nothing is read from the peer while nobody asks (beyond what
   * the stream buffers). Rejected when the channel breaks or is closed.
   */
  read(): Promise<Uint8Array | undefined>
  /** Fulfilled when there is room for more. Rejected when the channel breaks or is closed. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends both directions at once; what was not sent yet is dropped. Safe to call twice. */
  close(): void
}
