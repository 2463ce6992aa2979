/** The most memory that each hook process ever held, by the kernel's own account (VmHWM), told as it exits. */
import type { Machine } from '../testbed/machine.js'
import type { HookWrapper } from './farm.js'

const preload = '/usr/local/libexec/peak-memory.cjs'
const peaks = '/tmp/peak-memory'

const program = `const { appendFileSync, readFileSync } = require('node:fs')
process.on('exit', () => {
  const kibibytes = /^VmHWM:\\s*(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]
  appendFileSync('${peaks}', kibibytes + '\\n')
})
`

/** To be given to `installHook`. */
export const measurePeakMemory = async (master: Machine): Promise<HookWrapper> => {
  await master.writeFile(preload, program)
  await master.writeFile(peaks, '', 0o666)
  return { nodeOptions: ['--require', preload] }
}

/** In bytes, of each hook process since the last call. */
export const takePeaks = async (master: Machine) => {
  const text = await master.sh(`cat ${peaks}; : > ${peaks}`)
  return text.split('\n').filter((line) => line !== '').map((kibibytes) => Number(kibibytes) * 1024)
}
