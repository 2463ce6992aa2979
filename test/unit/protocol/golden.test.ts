import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DaemonSession } from '../../../src/protocol/daemon-session.js'
import { type Facts, operations, type Outcome, perform } from '../../golden/protocol/operations.js'
import { every, ScriptedDaemon, type Step } from '../../support/daemon-script.js'

interface Recording {
  readonly guix: string
  readonly facts: Facts
  readonly foreignBundle: string
  readonly ownBundle: string
  readonly conversations: readonly { name: string; outcome: Outcome; steps: readonly ({ client: string } | { daemon: string })[] }[]
}

const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64')

function recording(version: string): Recording {
  return JSON.parse(readFileSync(new URL(`../../golden/protocol/guix-${version}.json`, import.meta.url), 'utf8')) as Recording
}

describe.each(['1.5.0', '1.2.0'])('recorded with guix-daemon %s', (version) => {
  const { facts, conversations, ...bundles } = recording(version)
  const material = { facts, foreignBundle: bytes(bundles.foreignBundle), ownBundle: bytes(bundles.ownBundle) }

  it('there is a conversation for every operation', () => {
    expect(conversations.map(({ name }) => name)).toEqual(Object.keys(operations))
  })

  it.each(conversations)('$name', async ({ name, outcome, steps }) => {
    const script = steps.map<Step>((step) => ('client' in step ? { expect: bytes(step.client) } : { send: bytes(step.daemon) }))
    for (const size of [1, 7, 4096, 1 << 20]) {
      const daemon = new ScriptedDaemon(script, every(size))
      const session = await DaemonSession.open(daemon)
      expect(session.daemonVersion).toBe(version === '1.2.0' ? 0x163 : 0x164)
      expect(await perform(name, session, material)).toEqual(outcome)
      expect(daemon.finished).toBe(true)
    }
  })
})
