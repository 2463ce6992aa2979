/**
 * What `ssh -v` says while it connects, read for facts. The lines have been the same since OpenSSH 7; of those that are missing or new nothing
 * depends but the quality of a message.
 */
export type Stage = 'connecting' | 'greeting' | 'key exchange' | 'authentication' | 'done'

export interface Negotiated {
  readonly server?: string
  readonly address?: string
  /** `TYPE SHA256:…` */
  readonly hostKey?: string
  readonly privateKey?: string
  readonly keyExchange?: string
  readonly cipher?: string
  readonly mac?: string
  readonly compression?: string
}

/** Without `debug1: ` in front: what ssh tells in any case. */
const isDebug = /^debug\d: /
/** Longer than any sane line; more is a server's attempt to fill our memory. */
const longestLine = 16 * 1024
const mostLines = 2000

export class StartLog {
  stage: Stage = 'connecting'
  facts: Negotiated = {}
  /** Logged in, listening, and on its way into the background. */
  forking = false
  /** Goes through another program, so that the stages have no more to do with the network. */
  proxied = false
  /**
   * The shortest of the exchanges that cannot take less than a round trip: opening TCP (not through a proxy), the key exchange, asking for the
   * authentication service. Any of them can take longer: the server computes, or waits with a small message until we have acknowledged the one
   * before.
   */
  roundTripMs: number | undefined
  /** Private keys offered so far. */
  readonly tried: string[] = []
  /** What the server sent before it said that it is one. */
  readonly greeting: string[] = []
  /** What is not a debugging message. */
  readonly messages: string[] = []
  private rest = ''
  private asked = 0
  private lines = 0

  constructor(private readonly onStage: (stage: Stage) => void = () => undefined, private readonly now: () => number = () => performance.now()) {}

  push(text: string): void {
    const lines = (this.rest + text).split('\n')
    this.rest = (lines.pop() ?? '').slice(0, longestLine)
    for (const line of lines) this.line(line.replace(/\r$/, ''))
  }

  end(): void {
    if (this.rest !== '') this.line(this.rest)
    this.rest = ''
  }

  private line(line: string): void {
    this.lines += 1
    if (this.lines > mostLines) return
    for (const [pattern, act] of readings) {
      const match = pattern.exec(line)
      if (match !== null) act(this, match)
    }
    if (line !== '' && !isDebug.test(line)) this.messages.push(line)
  }

  advance(stage: Stage): void {
    this.stage = stage
    this.onStage(stage)
  }

  mark(): void {
    this.asked = this.now()
  }

  measured(): void {
    this.roundTripMs = Math.max(0.05, Math.min(this.roundTripMs ?? Infinity, this.now() - this.asked))
  }
}

type Act = (log: StartLog, match: RegExpExecArray) => void

const learn = (facts: (match: RegExpExecArray) => Negotiated): Act => (log, match) => {
  log.facts = { ...log.facts, ...facts(match) }
}

const readings: readonly (readonly [RegExp, Act])[] = [
  [/^debug1: Connecting to .* \[(.*)\] port \d+\.$/, (log, [, address = '']) => {
    log.facts = { ...log.facts, address }
    log.mark()
  }],
  [/^debug1: Executing proxy command: /, (log) => {
    log.proxied = true
    log.advance('greeting')
  }],
  [/^debug1: Connection established\.$/, (log) => {
    log.measured()
    log.advance('greeting')
  }],
  [/^debug1: (?:kex_exchange_identification: banner line \d+|ssh_exchange_identification): (.*)$/, (log, [, text = '']) => void log.greeting.push(text)],
  [/^debug1: Remote protocol version \S+, remote software version (.*)$/, (log, match) => {
    log.facts = { ...log.facts, server: match[1] ?? '' }
    log.advance('key exchange')
  }],
  [/^debug1: kex: algorithm: (.*)$/, learn(([, keyExchange = '']) => ({ keyExchange }))],
  [/^debug1: kex: client->server cipher: (\S+) MAC: (\S+) compression: (\S+)/, learn(([, cipher = '', mac = '', compression = '']) => ({
    cipher, compression, ...(mac === '<implicit>' ? {} : { mac }),
  }))],
  [/^debug1: expecting SSH2_MSG_KEX\w*_REPLY$/, (log) => log.mark()],
  [/^debug1: SSH2_MSG_KEX\w*_REPLY received$/, (log) => log.measured()],
  [/^debug1: Server host key: (\S+ \S+)/, learn(([, hostKey = '']) => ({ hostKey }))],
  [/^debug1: SSH2_MSG_NEWKEYS received$/, (log) => {
    log.mark()
    log.advance('authentication')
  }],
  [/^debug1: SSH2_MSG_SERVICE_ACCEPT received$/, (log) => log.measured()],
  [/^debug1: Offering public key: (.*?)(?: explicit)?$/, (log, [, key = '']) => void log.tried.push(key)],
  [/^debug1: Server accepts key: (.*?)(?: explicit)?$/, learn(([, privateKey = '']) => ({ privateKey }))],
  [/^debug1: forking to background$/, (log) => {
    log.forking = true
  }],
  [/^(?:debug1: )?Authenticat(?:ed to .* using|ion succeeded) /, (log) => log.advance('done')],
]
