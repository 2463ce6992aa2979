import { describe, expect, it } from 'vitest'
import { foundJson, foundLines, foundNotes, secondsSince, trustCommand } from '../../../src/commands/support/found-report.js'
import { plainStyle } from '../../../src/commands/support/style.js'
import type { FoundBySource } from '../../../src/machines/gather-machines.js'

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvxkhLcEkLgGbVRz5EaTVOBFSeBGKFKEAiMzGzKmUYi'
const found: FoundBySource = {
  name: 'beta.local', port: 22, address: 'fe80::1%eth0', hostKey, standing: 'not-trusted', reason: 'nothing vouches for its host key', heardAt: 1000, source: 'dns-sd',
  pin: { file: '/etc/guix/offload-known-hosts', line: `beta.local ${hostKey}` },
}
const now = 4400

describe('a machine that was found', () => {
  it('is shown with its fingerprint, its age, and the one command that pins it', () => {
    expect(foundLines([found], plainStyle, now)).toEqual([
      'beta.local', '  found, not trusted: nothing vouches for its host key', expect.stringMatching(/^ {2}host key, as it says: SHA256:[A-Za-z0-9+/]{43}$/),
      '  last heard: 3 s ago, at fe80::1%eth0', '  to use it, compare that fingerprint and run: guix-offload machines trust beta.local',
    ])
    expect(foundNotes([found])).toEqual(['found, not trusted: beta.local:22 (nothing vouches for its host key); guix-offload machines trust beta.local'])
    expect(foundJson(found, now)).toEqual({
      name: 'beta.local', port: 22, address: 'fe80::1%eth0', standing: 'not-trusted', reason: 'nothing vouches for its host key', hostKey, fingerprint: expect.stringMatching(/^SHA256:/) as string,
      heardSecondsAgo: 3, trust: 'guix-offload machines trust beta.local', source: 'dns-sd',
    })
  })

  it('draws nothing on the terminal, and offers nothing for pasting that a shell would read', () => {
    const hostile = { ...found, name: 'be\u001b[2Jta;rm -rf', reason: 'a\nb\u202e', address: '\u0007' }
    for (const line of [...foundLines([hostile], plainStyle, now), ...foundNotes([hostile])]) expect(line).not.toMatch(/\p{C}/u)
    expect(trustCommand(hostile)).toBeUndefined()
    expect(trustCommand({ ...found, name: '$(id)' })).toBeUndefined()
    expect(trustCommand({ ...found, name: '-x' })).toBeUndefined()
    expect(trustCommand({ ...found, port: 2222 })).toBe('guix-offload machines trust beta.local:2222')
  })

  it('that cannot be pinned, or need not be, has no such command', () => {
    expect(trustCommand({ ...found, pin: undefined })).toBeUndefined()
    expect(trustCommand({ ...found, hostKey: 'ssh-ed25519 nonsense' })).toBeUndefined()
    expect(trustCommand({ ...found, standing: 'listed-already' })).toBeUndefined()
    expect(foundNotes([{ ...found, standing: 'listed-already' }, { ...found, standing: 'unusable' }])).toEqual([])
  })

  it('has an age of whole seconds, and none where it was written down', () => {
    expect([secondsSince(undefined, now), secondsSince(4000, now), secondsSince(9000, now)]).toEqual([undefined, 0, 0])
  })
})
