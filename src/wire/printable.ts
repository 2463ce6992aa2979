const MAX_SHOWN = 120

function escapedByte(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}

/**
 * Bytes from a peer as text for messages: readable where they are plain UTF-8, everything else as `\xNN`, cut where it gets long. Never a
 * control character, so that a hostile name cannot draw on a terminal or forge a line of a log.
 */
export function printable(bytes: Uint8Array | string): string {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const shown = buffer.subarray(0, MAX_SHOWN)
  const text = shown.toString('utf8')
  const faithful = !text.includes('\ufffd') && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text)
  const escaped = faithful ? text : Array.from(shown, escapedByte).join('')
  return `"${escaped}${buffer.length > MAX_SHOWN ? '…' : ''}"`
}
