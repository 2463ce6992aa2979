import { expect, it } from 'vitest'
import contribute from '../../../plugins/transport-openssh/src/contribute.js'
import type { Factory, Registrar, Transport } from '../../../src/plugin-api/index.js'
import { pluginHost } from '../../support/plugin-host.js'

it('contributes a transport called openssh, and loads nothing for it', async () => {
  const transports = new Map<string, Factory<Transport>>()
  const refuse = (): never => {
    throw new Error('not expected')
  }
  const registrar: Registrar = { apiVersion: '1.0.0', transport: (name, factory) => void transports.set(name, factory), schedulingStrategy: refuse, machineSource: refuse }
  await contribute({ registrar })
  expect([...transports.keys()]).toEqual(['openssh'])
  expect(await transports.get('openssh')?.(pluginHost())).toMatchObject({ name: 'openssh' })
})
