/** How far a run of lsh has come, from what it says with `--verbose`. Its messages are not translated. */
export interface Negotiated {
  server: string
  keyExchange: string
  cipher: string
  mac: string
  compression: string
}

export class LoginProgress {
  stage: 'connecting' | 'key exchange' | 'authentication' | 'logged in' = 'connecting'
  /** Of what it said, what tells why it ended. */
  trouble: 'host key' | 'no common algorithm' | 'login refused' | 'private key' | undefined
  /** Words of the server or of lsh about the end, for people. */
  readonly remarks: string[] = []
  readonly negotiated: Partial<Negotiated> = {}

  line(line: string): void {
    const match = rules.find(({ pattern }) => pattern.test(line))
    match?.apply(this, match.pattern.exec(line)?.[1] ?? '')
  }

  /** In one line. */
  get remark(): string | undefined {
    return this.remarks.length === 0 ? undefined : this.remarks.slice(0, 3).join('; ')
  }
}

interface Rule {
  readonly pattern: RegExp
  apply(progress: LoginProgress, detail: string): void
}

const noted = (trouble: LoginProgress['trouble']): Rule['apply'] => (progress) => {
  progress.trouble ??= trouble
}

const rules: readonly Rule[] = [
  {
    pattern: /^Server version: SSH-[^-]*-(.*)$/,
    apply(progress, detail) {
      progress.stage = 'key exchange'
      progress.negotiated.server = detail
    },
  },
  { pattern: /^Selected keyexchange algorithm: (\S+)/, apply: (progress, detail) => void (progress.negotiated.keyExchange = detail) },
  { pattern: /^\s*Encryption: +\((\S+),/, apply: (progress, detail) => void (progress.negotiated.cipher = detail) },
  { pattern: /^\s*Message authentication: +\((\S+),/, apply: (progress, detail) => void (progress.negotiated.mac = detail) },
  { pattern: /^\s*Compression: +\((\S+),/, apply: (progress, detail) => void (progress.negotiated.compression = detail) },
  { pattern: /^Received NEWKEYS\b/, apply: (progress) => void (progress.stage = progress.stage === 'logged in' ? progress.stage : 'authentication') },
  { pattern: /^User authentication successful/, apply: (progress) => void (progress.stage = 'logged in') },
  { pattern: /^Server's hostkey is not trusted|Bad server host key/, apply: noted('host key') },
  { pattern: /No common (?:key exchange method|hostkey algorithm|algorithm)/, apply: noted('no common algorithm') },
  { pattern: /^User authentication failed|No more auth methods available/, apply: noted('login refused') },
  { pattern: /^Invalid private key|^Failed to read private key/, apply: noted('private key') },
  { pattern: /^((?:Disconnect for reason|Protocol error|Connect failed|Invalid server signature|read_known_hosts).*)$/, apply: (progress, detail) => void progress.remarks.push(detail.trim()) },
]
