import { describe, expect, it } from 'vitest'
import { CommandStore, type CommandStoreOptions } from '../../../src/remote-store/command-store.js'
import { chunks, collector, derivation } from '../../support/conversations.js'
import { int, join } from '../../support/daemon-script.js'
import { type Play, type PlayedConnection, playedConnection } from '../../support/remote-commands.js'

const item = (name: string): string => `/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-${name}`
const fine: Play = async (command) => {
  await command.inputEnded
  command.exit(0)
}
const saying =
  (complaint: string, code: number, output: string | Uint8Array = ''): Play =>
  (command) => {
    if (complaint !== '') command.complain(complaint)
    if (output.length > 0) command.print(output)
    command.exit(code)
  }

async function opened(play: Play, options: Partial<CommandStoreOptions> = {}): Promise<{ store: CommandStore; connection: PlayedConnection }> {
  const connection = playedConnection([fine, play])
  const store = await CommandStore.open(connection, { signal: new AbortController().signal, ...options })
  return { store, connection }
}

/** The words after the shell, its script and the socket. */
const wordsOf = ({ commands }: PlayedConnection, index = 1) => commands[index]?.words.slice(5)

describe('CommandStore', () => {
  it('asks what is missing in one command, and keeps the order', async () => {
    const [a, b, c] = [item('a'), item('b'), item('c')]
    const { store, connection } = await opened(async (command) => {
      await command.inputEnded
      command.print(`${a}\n${c}\n`)
      command.exit(0)
    })
    expect(await store.missing([c, b, a])).toEqual([c, a])
    expect(await store.missing([])).toEqual([])
    expect(wordsOf(connection)).toEqual(['archive', '--missing'])
    expect(connection.commands[1]?.input().toString()).toBe(`${c}\n${b}\n${a}\n`)
    expect(connection.commands).toHaveLength(2)
  })

  it('sends a bundle as it is', async () => {
    const { store, connection } = await opened(fine)
    await store.importBundle(() => chunks(Buffer.from('a whole bundle'), 3))
    expect(wordsOf(connection)).toEqual(['archive', '--import'])
    expect(connection.commands[1]?.input().toString()).toBe('a whole bundle')
  })

  it('says why a bundle was not taken to its end', async () => {
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield Promise.resolve(Buffer.alloc(1000))
    }
    const { store } = await opened(async (command) => {
      await command.until((input) => input.length > 5000)
      command.complain('guix archive: error: unauthorized public key: (public-key \n (ecc \n  (curve Ed25519)\n  (q #0B6C#)\n  )\n )\n\n')
      command.exit(1)
    })
    await expect(store.importBundle(endless)).rejects.toMatchObject({
      code: 'signing-key-not-authorized',
      report: { machine: 'builder:2222', step: 'sending store items', seen: 'our key (public-key (ecc (curve Ed25519) (q #0B6C#)))' },
    })
  })

  it('builds, with the options in the words', async () => {
    const { store, connection } = await opened(saying(`building ${derivation}...\nlog\nsuccessfully built ${derivation}\n`, 0))
    const log = collector()
    await store.build(derivation, { maxSilentTime: 60, timeout: 3600, cores: 2, useSubstitutes: false }, log.onBytes)
    expect(log.text()).toBe('log\n')
    expect(wordsOf(connection)).toEqual([
      'build', '--verbosity=3', '--fallback', '--max-silent-time=60', '--timeout=3600', '--no-offload', '--cores=2', '--no-substitutes', derivation,
    ])
  })

  it('lets a machine offload further only where that is wanted', async () => {
    const { store, connection } = await opened(saying('', 0))
    await store.build(derivation, { maxSilentTime: 0, timeout: 0, offloadOnward: true }, () => undefined)
    expect(wordsOf(connection)).not.toContain('--no-offload')
  })

  it('exports the one member of a bundle', async () => {
    const { store, connection } = await opened(saying('', 0, join(int(1), Buffer.from('member'), int(0))))
    const data = collector()
    await store.exportItem(item('out'), data.onBytes)
    expect(data.text()).toBe('member')
    expect(wordsOf(connection)).toEqual(['archive', '--export', item('out')])
  })

  it('cannot add texts nor keep items, and says so', async () => {
    const { store } = await opened(fine)
    expect('addText' in store).toBe(false)
    expect(await store.keep()).toBe(0)
    await store.warmUpSigning()
  })

  it('closes what runs', async () => {
    const { store, connection } = await opened(() => undefined)
    const exporting = store.exportItem(item('out'), () => undefined)
    await store.close()
    await store.close()
    await expect(exporting).rejects.toMatchObject({ code: 'daemon-connection-closed' })
    expect(connection.commands[1]?.signal.aborted).toBe(true)
  })

  it('ends the channel of every command', async () => {
    const { store, connection } = await opened(saying('', 0, join(int(1), int(0))))
    await store.exportItem(item('out'), () => undefined)
    expect(connection.commands.map(({ signal }) => signal.aborted)).toEqual([true, true])
  })
})

describe('errors of a CommandStore', () => {
  const built = (text: string, code = 1): Play => saying(`building ${derivation}...\n${text}build of ${derivation} failed\nguix build: error: build of \`${derivation}' failed\n`, code)
  const building = async (play: Play, options: Partial<CommandStoreOptions> = {}) =>
    (await opened(play, options)).store.build(derivation, { maxSilentTime: 1, timeout: 1 }, () => undefined)

  it.each<[string, string, object]>([
    [`builder for \`${derivation}' failed with exit code 3\n`, 'build-failed', { status: 100, report: { machine: 'builder:2222', subject: derivation } }],
    [`building of \`${derivation}' timed out after 1 seconds of silence\n`, 'build-timed-out', { status: 101, report: { problem: 'the builder was silent for too long' } }],
    [`building of \`${derivation}' timed out after %2% seconds\n`, 'build-timed-out', { status: 101, report: { problem: 'the build took too long' } }],
    [`builder for \`${derivation}' failed due to signal 9 (Killed)\n`, 'builder-killed', {}],
    ['note: build failure may have been caused by lack of free disk space\n', 'disk-full', { retry: 'later' }],
    ["guix build: error: unauthorized public key\nbuilding of `/gnu/store/other.drv' timed out after 1 seconds\n", 'daemon-refused', {}],
  ])('build: %s', async (text, code, expected) => {
    await expect(building(built(text))).rejects.toMatchObject({ code, ...expected })
  })

  it.each<[string, string, object]>([
    [`cannot build missing derivation \`${derivation}'\nguix build: error: build of \`${derivation}' failed\n`, 'inputs-missing', {}],
    ['guix build: error: all build users are currently in use; consider creating additional users\n', 'build-users-exhausted', { retry: 'later' }],
    ["guix build: error: failed to connect to `/run/daemon/socket': Connection refused\n", 'socket-unavailable', { report: { seen: 'Connection refused' } }],
    ['guix-offload: no guix command\n', 'guix-not-found', {}],
    ['Backtrace:\n   something\n', 'command-failed', { report: { machine: 'builder:2222', seen: 'Backtrace: something' } }],
  ])('before a build: %s', async (complaint, code, expected) => {
    await expect(building(saying(complaint, 1))).rejects.toMatchObject({ code, ...expected })
  })

  it('a command that says and takes nothing is given up', async () => {
    const { store } = await opened(() => undefined, { stallMs: 30 })
    await expect(store.exportItem(item('out'), () => undefined)).rejects.toMatchObject({ code: 'daemon-silent', report: { step: 'retrieving a store item' } })
  })

  it('one that waits for a collection is not', async () => {
    const { store } = await opened(
      (command) => {
        command.complain('waiting for the big garbage collector lock...\n')
        setTimeout(() => {
          command.print(join(int(1), int(0)))
          command.exit(0)
        }, 150)
      },
      { stallMs: 50 },
    )
    await store.exportItem(item('out'), () => undefined)
  })

  it('what fails in our own store or log is not put down to the machine', async () => {
    const own = new Error('our own disk')
    const { store } = await opened(saying(`building ${derivation}...\nlog\n`, 0, join(int(1), Buffer.from('member'), int(0))))
    const fail = (): never => {
      throw own
    }
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Promise.resolve(Buffer.alloc(10))
      fail()
    }
    await expect(store.exportItem(item('out'), fail)).rejects.toBe(own)
    await expect(store.build(derivation, { maxSilentTime: 0, timeout: 0 }, fail)).rejects.toBe(own)
    const taking = await opened(() => undefined)
    await expect(taking.store.importBundle(broken)).rejects.toBe(own)
  })

  it('an abort is its own reason', async () => {
    const client = new AbortController()
    const { store } = await opened(() => undefined, { signal: client.signal })
    const reason = new Error('the client went away')
    const work = store.build(derivation, { maxSilentTime: 0, timeout: 0 }, () => undefined)
    setTimeout(() => client.abort(reason), 10)
    await expect(work).rejects.toBe(reason)
  })
})
