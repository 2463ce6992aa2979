import { checkoutInMachine, nodeInMachine } from '../testbed/bed.js'
import { currentSystem } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'
import type { Farm } from './farm.js'

const programs = {
  stock: ['guix', 'offload', currentSystem, '3600', '1', '86400'],
  ours: [nodeInMachine, `${checkoutInMachine}/bin/run.js`, 'offload', currentSystem, '3600', '1', '86400'],
} as const

export interface Asked {
  readonly wantsLocal?: boolean
  readonly system?: string
  readonly features?: readonly string[]
}

/** A hook as guix-daemon starts it, asked for one build. Having accepted it waits, its slot taken, for us to name the inputs. */
export class AskedHook implements AsyncDisposable {
  output = ''
  readonly #subprocess

  constructor(readonly farm: Farm, readonly derivation: string, program: keyof typeof programs = 'ours', readonly asked: Asked = {}) {
    const { master } = farm
    this.#subprocess = master.spawn(programs[program], { stdin: 'pipe', all: true, reject: false, buffer: false }, { user: master.daemonUser })
    this.#subprocess.all.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.ask()
  }

  ask(): void {
    const { wantsLocal = false, system = currentSystem, features = [] } = this.asked
    this.#subprocess.stdin.write(`${wantsLocal ? 1 : 0} ${system} ${this.derivation} ${features.join(',')}\n`)
  }

  answer(count = 1, milliseconds = 20_000) {
    return waitFor(`answer ${count}`, () => [...this.output.matchAll(/^# (\w+)$/gm)][count - 1]?.[1], milliseconds)
  }

  async signal(signal: NodeJS.Signals) {
    await this.farm.master.signal(this.#subprocess, signal)
    await this.#subprocess
  }

  async [Symbol.asyncDispose]() {
    this.#subprocess.stdin.end()
    await this.#subprocess
  }
}
