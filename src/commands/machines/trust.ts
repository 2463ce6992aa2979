import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline/promises'
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { readEnvironment } from '../../config/environment.js'
import { tokens } from '../../container/tokens.js'
import { ConfigurationError } from '../../errors/offload-error.js'
import { hostKeyFingerprint } from '../../machines/host-key-fingerprint.js'
import { machineId } from '../../machines/machine-id.js'
import type { FoundBySource } from '../../machines/gather-machines.js'
import { addPin } from '../../offload/add-pin.js'
import { BaseCommand } from '../support/base-command.js'
import { actAsDaemonUser } from '../support/daemon-user.js'
import { foundName } from '../support/found-report.js'

const step = 'trusting a machine that was found'

export default class MachinesTrust extends BaseCommand {
  static override summary = 'pin the host key of a machine that was found on the network, so that it is used'
  static override description = 'Shows the fingerprint of the host key that the machine says it has. Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on that machine: the network proves nothing.'
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'NAME or NAME:PORT, as `machines` shows it' }) }
  static override flags = {
    fingerprint: Flags.string({ helpValue: 'SHA256:…', description: 'the fingerprint it must have, from the machine itself; nobody is asked then' }),
    yes: Flags.boolean({ description: 'take the fingerprint that is shown for the right one' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MachinesTrust)
    const beRootAgain = actAsDaemonUser(readEnvironment(process.env).storeDirectory)
    const list = await (await this.root()).resolve(tokens.listMachines)
    const { found = [] } = await list.run({}, this.interrupted())
    const { machine, pin, fingerprint } = candidate(found, args.name)
    const name = foundName(machine)
    this.log(`${name} says that its host key is ${fingerprint}`)
    if (flags.fingerprint !== undefined && flags.fingerprint !== fingerprint) {
      throw new ConfigurationError({
        code: 'fingerprint-mismatch', step, problem: `${name} has another host key than you expect`, expected: flags.fingerprint, seen: fingerprint,
        cure: 'Either the machine has got a new key, or another one has taken its name: look at the key on the machine itself',
      })
    }
    if (flags.fingerprint === undefined && !flags.yes && !(await this.#confirmed(name))) {
      throw new ConfigurationError({
        code: 'not-confirmed', step, problem: `nobody has confirmed the fingerprint of ${name}`,
        cure: `Compare it on the machine and run: guix-offload machines trust ${args.name} --fingerprint ${fingerprint}`,
      })
    }
    // In a folder of the daemon's user that user writes: he could lead root astray there.
    if ((await ownerOf(dirname(pin.file))) === 0) beRootAgain()
    const added = await addPin(pin)
    this.log(added ? `pinned in ${pin.file}` : `it is pinned in ${pin.file} already`)
    return this.present([], { name: machine.name, port: machine.port, fingerprint, file: pin.file, added }, true)
  }

  async #confirmed(name: string): Promise<boolean> {
    if (process.stdin.isTTY !== true || this.jsonEnabled()) return false
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await terminal.question(`Is that what ${name} itself shows? (yes/no) `).finally(() => terminal.close())
    return answer.trim().toLowerCase() === 'yes'
  }
}

async function ownerOf(folder: string): Promise<number> {
  return stat(folder).then(({ uid }) => uid, () => 0)
}

function candidate(found: readonly FoundBySource[], wanted: string) {
  const named = found.filter((each) => each.name === wanted.toLowerCase() || machineId(each) === wanted.toLowerCase())
  const offered = named.filter(({ pin, standing }) => standing === 'not-trusted' && pin !== undefined)
  const [machine] = offered
  if (machine === undefined || machine.pin === undefined) {
    const reasons = [...new Set(named.map(({ reason }) => reason))]
    throw new ConfigurationError({
      code: 'machine-not-found', step, problem: reasons.length === 0 ? `nobody who is not trusted calls himself ${JSON.stringify(wanted)}` : `${wanted} cannot be pinned: ${reasons.join('; ')}`,
      cure: 'guix-offload status shows the machines that were found',
    })
  }
  if (new Set(offered.map(({ hostKey }) => hostKey)).size > 1) {
    throw new ConfigurationError({
      code: 'machine-ambiguous', step, problem: `several machines with different host keys call themselves ${wanted}`,
      seen: offered.map(({ address, hostKey }) => `${hostKeyFingerprint(hostKey ?? '') ?? 'no key'} at ${address ?? 'no address'}`).join(', '),
      cure: `Append the line of the right one to ${machine.pin.file}`,
    })
  }
  const fingerprint = hostKeyFingerprint(machine.hostKey ?? '')
  if (fingerprint === undefined) throw new ConfigurationError({ code: 'machine-not-found', step, problem: `${wanted} does not say what its host key is` })
  return { machine, pin: machine.pin, fingerprint }
}
