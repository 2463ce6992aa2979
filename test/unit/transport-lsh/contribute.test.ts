import { expect, it } from 'vitest'
import contribute from '../../../plugins/transport-lsh/src/contribute.js'
import type { Factory, Registrar, Transport } from '../../../src/plugin-api/index.js'
import { pluginHost } from '../../support/plugin-host.js'

it('contributes a transport called lsh', async () => {
  const factories = new Map<string, Factory<Transport>>()
  const registrar: Registrar = {
    apiVersion: '1.0.0',
    transport: (name, factory) => void factories.set(name, factory),
    schedulingStrategy: () => { throw new Error('no strategy') },
    machineSource: () => { throw new Error('no source') },
  }
  await contribute({ registrar })
  expect([...factories.keys()]).toEqual(['lsh'])
  expect((await factories.get('lsh')?.(pluginHost()))?.name).toBe('lsh')
})
