import { expect, it } from 'vitest'
import { opensshTransport } from '../../../plugins/transport-openssh/src/openssh-transport.js'
import { pluginHost } from '../../support/plugin-host.js'

it.each([undefined, null, {}, { program: '/usr/bin/ssh' }, { folder: '/run/x', program: '/bin/ssh' }])('takes the options %j', (options) => {
  expect(opensshTransport({ ...pluginHost(), options }).name).toBe('openssh')
})

it.each([['text', 'the section'], [[], 'the section'], [{ programme: '/x' }, 'programme'], [{ program: 'ssh' }, 'program'], [{ folder: 1 }, 'folder']])('refuses the options %j', (options, wrong) => {
  expect(() => opensshTransport({ ...pluginHost(), options })).toThrow(wrong)
})
