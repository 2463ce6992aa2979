/**
 * What a reader of archives tells, in the order of the archive. All calls are synchronous: whoever feeds the reader decides how much is
 * handled at a time. Names and targets are bytes, not text.
 *
 * `name` is the entry's name in the innermost open directory, or empty for the root. It has been checked (see nar-reader.ts) and may be kept;
 * chunks of data are slices of what was fed and must not be written to.
 */
export interface NarSink {
  directory(name: Buffer): void
  endDirectory(): void
  file(name: Buffer, executable: boolean, size: number): void
  /** Part of the contents of the file announced last; together exactly `size` bytes. Not called for an empty file. */
  data(chunk: Buffer): void
  endFile(): void
  symlink(name: Buffer, target: Buffer): void
}

/** For readers that want nothing but the checks, or the hash. */
export const discardingSink: NarSink = {
  directory() {},
  endDirectory() {},
  file() {},
  data() {},
  endFile() {},
  symlink() {},
}
