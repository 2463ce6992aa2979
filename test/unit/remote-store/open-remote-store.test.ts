import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import { openRemoteStore } from '../../../src/remote-store/open-remote-store.js'
import type { RemoteStore } from '../../../src/remote-store/remote-store.js'
import { bridgeMark } from '../../../src/remote-store/bridge-script.js'
import type { Rung, RungMemory } from '../../../src/state/rung-memory.js'
import { type Play, playedConnection } from '../../support/remote-commands.js'
import { daemonSocket, type DaemonSocket } from '../../support/daemon-socket.js'
import { greeted, hello, helloBack } from '../../support/daemon-script.js'

let daemon: DaemonSocket | undefined
let store: RemoteStore | undefined
afterEach(async () => {
  await store?.close()
  await daemon?.close()
  store = daemon = undefined
})

class Memory implements RungMemory {
  readonly events: string[] = []
  constructor(public rung?: Rung) {}
  recall() {
    return Promise.resolve(this.rung)
  }
  remember(_machine: unknown, rung: Rung) {
    this.rung = rung
    this.events.push(`remember ${rung}`)
    return Promise.resolve()
  }
  forget() {
    this.rung = undefined
    this.events.push('forget')
    return Promise.resolve()
  }
}

/** What a machine says to each way of asking. */
interface Ways {
  readonly socket: 'listens' | 'forwarding-refused' | 'socket-unavailable' | 'connection-lost' | 'absent'
  readonly bridge: 'listens' | 'nobody' | 'none'
  readonly commands: 'listens' | 'nobody' | 'none'
}

const bridges: Record<Ways['bridge'], Play> = {
  listens: async (command) => {
    command.print(`${bridgeMark}socat\n`)
    await command.until((input) => input.equals(hello))
    command.print(helloBack())
  },
  nobody: (command) => {
    command.print(`${bridgeMark}socat\n`)
    command.complain('socat[1] E connect(5, AF=1 "/run/daemon/socket", 20): Connection refused\n')
    command.exit(1)
  },
  none: (command) => {
    command.print(`${bridgeMark}none\n`)
    command.exit(0)
  },
}

const commands: Record<Ways['commands'], Play> = {
  listens: (command) => command.exit(0),
  nobody: (command) => {
    command.complain("guix archive: error: failed to connect to `/run/daemon/socket': Connection refused\n")
    command.exit(1)
  },
  none: (command) => {
    command.complain('guix-offload: no guix command\n')
    command.exit(127)
  },
}

async function asked(ways: Ways, memory = new Memory(), signal = new AbortController().signal) {
  const asked: string[] = []
  daemon = await daemonSocket(greeted())
  const { path } = daemon
  const openSocket = async (): Promise<Duplex> => {
    asked.push('socket')
    if (ways.socket !== 'listens') {
      throw new MachineError({ code: ways.socket, machine: 'builder', step: 'opening a socket', problem: 'no', cure: 'Allow it' })
    }
    const stream = createConnection({ path, allowHalfOpen: true })
    await once(stream, 'connect')
    return stream
  }
  const play: Play = (command) => {
    const rung = command.words.includes('archive') ? 'commands' : 'bridge'
    asked.push(rung)
    return rung === 'bridge' ? bridges[ways.bridge](command) : commands[ways.commands](command)
  }
  const connection = playedConnection([play], ways.socket === 'absent' ? {} : { openSocket })
  const outcome = await openRemoteStore(connection, { signal, memory }).then(
    (opened) => {
      store = opened
      return { rung: opened.rung, error: undefined }
    },
    (error: unknown) => ({ rung: undefined, error: error as MachineError }),
  )
  return { ...outcome, asked, events: memory.events }
}

describe('the rung that is found', () => {
  it.each<[Ways, Rung, string[]]>([
    [{ socket: 'listens', bridge: 'listens', commands: 'listens' }, 'socket', ['socket']],
    [{ socket: 'forwarding-refused', bridge: 'listens', commands: 'listens' }, 'bridge', ['socket', 'bridge']],
    [{ socket: 'absent', bridge: 'listens', commands: 'listens' }, 'bridge', ['bridge']],
    [{ socket: 'forwarding-refused', bridge: 'none', commands: 'listens' }, 'commands', ['socket', 'bridge', 'commands']],
    // What the server takes for a dead socket may be a forbidden one.
    [{ socket: 'socket-unavailable', bridge: 'listens', commands: 'listens' }, 'bridge', ['socket', 'bridge']],
    [{ socket: 'socket-unavailable', bridge: 'none', commands: 'listens' }, 'commands', ['socket', 'bridge', 'commands']],
  ])('%j: %s', async (ways, rung, order) => {
    expect(await asked(ways)).toEqual({ rung, error: undefined, asked: order, events: [`remember ${rung}`] })
  })
})

describe('no rung is found', () => {
  it.each<[Ways, string, string[]]>([
    [{ socket: 'socket-unavailable', bridge: 'nobody', commands: 'nobody' }, 'socket-unavailable', ['socket', 'bridge']],
    [{ socket: 'forwarding-refused', bridge: 'nobody', commands: 'nobody' }, 'socket-unavailable', ['socket', 'bridge']],
    [{ socket: 'forwarding-refused', bridge: 'none', commands: 'nobody' }, 'socket-unavailable', ['socket', 'bridge', 'commands']],
    [{ socket: 'socket-unavailable', bridge: 'none', commands: 'none' }, 'socket-unavailable', ['socket', 'bridge', 'commands']],
    [{ socket: 'forwarding-refused', bridge: 'none', commands: 'none' }, 'guix-not-found', ['socket', 'bridge', 'commands']],
    [{ socket: 'connection-lost', bridge: 'listens', commands: 'listens' }, 'connection-lost', ['socket']],
  ])('%j: %s', async (ways, code, order) => {
    const result = await asked(ways)
    expect(result).toMatchObject({ rung: undefined, asked: order, events: [] })
    expect(result.error).toMatchObject({ code, report: { machine: expect.stringMatching(/^builder/) as string } })
  })

  it('what would help on any of them is said', async () => {
    const { error } = await asked({ socket: 'forwarding-refused', bridge: 'none', commands: 'none' })
    expect(error?.message).toMatch(/Allow it\. Or: Install socat there.*\. Or: Install Guix where/)
  })

  it('an abort ends the search', async () => {
    const controller = new AbortController()
    const reason = new Error('the client went away')
    controller.abort(reason)
    const { error, asked: order } = await asked({ socket: 'absent', bridge: 'listens', commands: 'listens' }, new Memory(), controller.signal)
    expect([error, order]).toEqual([reason, []])
  })
})

describe('the rung that is remembered', () => {
  it('is tried first, and alone', async () => {
    const result = await asked({ socket: 'listens', bridge: 'listens', commands: 'listens' }, new Memory('commands'))
    expect(result).toMatchObject({ rung: 'commands', asked: ['commands'], events: [] })
  })

  it('is forgotten when it works no more, and the search begins at the top', async () => {
    const result = await asked({ socket: 'listens', bridge: 'none', commands: 'listens' }, new Memory('bridge'))
    expect(result).toMatchObject({ rung: 'socket', asked: ['bridge', 'socket'], events: ['forget', 'remember socket'] })
  })

  it('is kept while the daemon is away', async () => {
    const result = await asked({ socket: 'listens', bridge: 'nobody', commands: 'listens' }, new Memory('bridge'))
    expect(result).toMatchObject({ rung: undefined, error: { code: 'socket-unavailable' }, asked: ['bridge'], events: [] })
  })
})
