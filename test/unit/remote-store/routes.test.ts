import { describe, expect, it } from 'vitest'
import { BuildError, InternalError, MachineError, ProtocolError, TrustError } from '../../../src/errors/offload-error.js'
import { fasterRoute, mayGoAnotherWay, otherRoute } from '../../../src/remote-store/routes.js'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

describe('the faster route', () => {
  it.each<[number, number, 'frames' | 'stream']>([
    [kibibyte, 0.2, 'frames'],
    [kibibyte, 300, 'frames'],
    [16 * mebibyte, 0.2, 'frames'],
    [16 * mebibyte, 10, 'stream'],
    [16 * mebibyte, 100, 'stream'],
    [2048 * mebibyte, 0.2, 'stream'],
    [128 * kibibyte, 50, 'frames'],
    [1 * mebibyte, 50, 'stream'],
    [0, 50, 'frames'],
  ])('for %i bytes with a round trip of %f ms: %s', (size, roundTripMs, route) => {
    expect(fasterRoute(size, roundTripMs)).toBe(route)
    expect(otherRoute(otherRoute(route))).toBe(route)
  })
})

describe('another route is tried', () => {
  const report = (code: string) => ({ code, step: 's', problem: 'p' })
  it.each<[string, unknown, boolean]>([
    ['a command that failed', new MachineError(report('command-failed')), true],
    ['a machine without guix', new MachineError(report('guix-not-found')), true],
    ['a session that broke', new MachineError(report('daemon-connection-lost')), true],
    ['nonsense', new ProtocolError(report('malformed-data')), true],
    ['a full disk', new MachineError(report('disk-full'), 'later'), false],
    ['a missing reference', new MachineError(report('reference-missing')), false],
    ['a lost connection', new MachineError(report('connection-lost')), false],
    ['our own store', new MachineError(report('item-not-valid'), 'never'), false],
    ['a refused key', new TrustError(report('signing-key-not-authorized')), false],
    ['a failed build', new BuildError(report('build-failed'), 100), false],
    ['a mistake of ours', new InternalError('oops'), false],
    ['something else', new Error('the reason of an abort'), false],
  ])('after %s: %s', (_what, error, expected) => {
    expect(mayGoAnotherWay(error)).toBe(expected)
  })
})
