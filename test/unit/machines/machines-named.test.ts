import { describe, expect, it } from 'vitest'
import { machinesNamed } from '../../../src/machines/machines-named.js'
import { machine } from './machine-fixture.js'

const machines = [machine('b1'), machine('b2'), machine('B2', { port: 2222 }), machine('b1', { systems: ['i686-linux'] }), machine('far.example.org'), machine('fe80::1')]
const named = async (...words: string[]) => (await machinesNamed(machines, words)).map(({ name, port }) => `${name}:${port}`)

describe('machines named by people', () => {
  it('are found by name, by name and port, and by pattern, each once', async () => {
    expect(await named('b1')).toEqual(['b1:22'])
    expect(await named('b2')).toEqual(['b2:22', 'B2:2222'])
    expect(await named('b2:2222')).toEqual(['B2:2222'])
    expect(await named('FAR.example.org', 'b1', 'b?')).toEqual(['b1:22', 'b2:22', 'B2:2222', 'far.example.org:22'])
    expect(await named('*:2222')).toEqual(['B2:2222'])
    expect(await named('{b1,far*}')).toEqual(['b1:22', 'far.example.org:22'])
    expect(await named('fe80::1')).toEqual(['fe80::1:22'])
  })

  it.each([
    ['far.exmaple.org', /^finding the machine: there is no build machine "far\.exmaple\.org", did you mean far\.example\.org\?\. `guix-offload machines` lists them all$/],
    ['b1:2222', /did you mean B2:2222\?/],
    ['nothing-like-it', /there is no build machine "nothing-like-it"\. /],
    ['z*', /there is no build machine "z\*"/],
    ['', /there is no build machine ""/],
  ])('are none by the name of %j', async (word, message) => {
    await expect(named('b1', word)).rejects.toThrow(message)
    await expect(named(word)).rejects.toMatchObject({ code: 'machine-unknown' })
  })
})
