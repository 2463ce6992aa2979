/**
 * Numbers of guix-daemon's worker protocol, as Guix 1.2.0 (protocol 0x163) to 1.5.0 (0x164) speak it, and the ceilings this client sets.
 * All integers are 64-bit little-endian.
 */
export const clientMagic = 0x6e697863
export const daemonMagic = 0x6478696f

/** What we announce. It decides the shape of SetOptions, whatever the daemon's own version is. */
export const clientVersion = 0x163
/** Oldest daemon understood; any later one with the same major version (the high byte) answers in our version's terms. */
export const oldestDaemonVersion = 0x163
export const majorVersion = (version: number): number => version >> 8

export const frameTags = {
  next: 0x6f6c6d67,
  read: 0x64617461,
  write: 0x64617416,
  last: 0x616c7473,
  error: 0x63787470,
} as const

export const operations = {
  isValidPath: 1,
  addTextToStore: 8,
  buildPaths: 9,
  addTempRoot: 11,
  exportPath: 16,
  setOptions: 19,
  queryPathInfo: 26,
  importPaths: 27,
  queryValidPaths: 31,
  querySubstitutablePaths: 32,
} as const

/** Nothing is allocated or believed beyond these, in bytes unless they say otherwise. */
export const ceilings = {
  /** One NEXT or WRITE frame. They are streamed, so this only stops nonsense; daemons send at most 64 KiB a frame. */
  frame: 64 * 1024 * 1024,
  errorText: 1024 * 1024,
  /** What is sent in answer to one READ; daemons ask for 32 KiB. */
  readAnswer: 1024 * 1024,
  /** Also names, hashes and derivers. */
  path: 4096,
  /** Number of store paths in one list. */
  paths: 4_000_000,
} as const
