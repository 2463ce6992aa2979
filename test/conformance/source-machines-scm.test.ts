import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineSourceConformance } from '../../src/plugin-api/testing/index.js'
import { createSource } from '../../plugins/machines-scm/src/source.js'
import { hostFor } from '../unit/machines-scm/host.js'

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvxkhLcEkLgGbVRz5EaTVOBFSeBGKFKEAiMzGzKmUYi'
const entry = (name: string): string => `(build-machine (name "${name}") (systems '("x86_64-linux")) (user "root") (host-key "${hostKey}"))`
const good = `(list ${entry('b1')} ${entry('b2')})`

machineSourceConformance('machines-scm', async () => {
  const configurationDirectory = await mkdtemp(join(tmpdir(), 'source-scm-'))
  const write = (text: string): Promise<void> => writeFile(join(configurationDirectory, 'machines.scm'), text)
  await write(good)
  return {
    source: createSource(hostFor()),
    context: { configurationDirectory, homeDirectory: '/home/bob', environment: {} },
    machines: [{ name: 'b1', port: 22 }, { name: 'b2', port: 22 }],
    spoilEntry: () => write(`(list ${entry('b1')} "no machine" ${entry('b2')})`),
    spoilEverything: () => write('(list'),
    restore: () => write(good),
    stop: () => rm(configurationDirectory, { recursive: true }),
  }
}, { asksOthers: false })
