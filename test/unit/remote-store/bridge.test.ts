import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { openBridge } from '../../../src/remote-store/bridge.js'
import { bridgeMark, bridgeProgram, bridgeScript } from '../../../src/remote-store/bridge-script.js'
import { type Play, playedConnection } from '../../support/remote-commands.js'

const { signal } = new AbortController()
const open = (play: Play, greetingMs?: number) => openBridge(playedConnection([play]), { signal, greetingMs })
const say = (word: string): string => `${bridgeMark}${word}\n`
const text = async (read: Promise<Uint8Array | undefined>): Promise<string | undefined> => {
  const bytes = await read
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}

describe('a bridge by socat', () => {
  it('passes bytes on from the first one after its word, whatever the login prints before', async () => {
    const bridge = await open((command) => command.print(`Welcome!\n\u001b[1m${say('socat')}first`))
    expect(await text(bridge.read())).toBe('first')
  })

  it('sends what is written', async () => {
    let sent: Promise<string> | undefined
    const bridge = await open((command) => {
      command.print(say('socat'))
      sent = command.until((input) => input.length >= 5).then(() => command.input().toString())
    })
    await bridge.write(Buffer.from('hello'))
    expect(await sent).toBe('hello')
  })

  it('ends when the daemon ends the connection', async () => {
    const bridge = await open((command) => {
      command.print(`${say('socat')}bytes`)
      command.exit(0)
    })
    expect([await text(bridge.read()), await text(bridge.read())]).toEqual(['bytes', undefined])
  })

  it.each(['No such file or directory', 'Connection refused', 'Permission denied'])('says that nobody listens: %s', async (reason) => {
    const bridge = await open((command) => {
      command.print(say('socat'))
      command.complain(`2026/01/01 00:00:00 socat[1] E connect(5, AF=1 "/run/daemon/socket", 20): ${reason}\n`)
      command.exit(1)
    })
    await expect(bridge.read()).rejects.toMatchObject({ code: 'socket-unavailable', report: { machine: 'builder:2222', subject: '/run/daemon/socket', seen: reason } })
  })

  it('that breaks later is a connection lost, with its own words', async () => {
    const bridge = await open((command) => {
      command.print(`${say('socat')}bytes`)
      command.complain('socat[1] E read(5, 0x5, 65536): Connection reset by peer\nsocat[1] N exiting\n')
      command.exit(1)
    })
    await bridge.read()
    await expect(bridge.read()).rejects.toMatchObject({
      code: 'daemon-connection-lost',
      report: { machine: 'builder:2222', problem: 'the bridge to the daemon broke: socat[1] E read(5, 0x5, 65536): Connection reset by peer socat[1] N exiting' },
    })
  })

  it('closes the channel of its command', async () => {
    const connection = playedConnection([(command) => command.print(say('socat'))])
    const bridge = await openBridge(connection, { signal })
    bridge.close()
    expect(connection.commands[0]?.signal.aborted).toBe(true)
  })
})

describe('a bridge by guix repl', () => {
  const repl = (answer: string): Play => async (command) => {
    command.print(say('guix'))
    command.print('(repl-version 0 1 1)\n')
    await command.until((input) => input.toString() === bridgeProgram)
    command.print(answer)
  }

  it('gets a program and nothing else before it is ready', async () => {
    const bridge = await open(repl(`${say('ready')}daemon`))
    expect(await text(bridge.read())).toBe('daemon')
    expect(bridgeProgram).not.toMatch(/\n|\s$/)
  })

  it('says that nobody listens', async () => {
    await expect(open(repl(say('failed Connection refused')))).rejects.toMatchObject({ code: 'socket-unavailable', report: { seen: 'Connection refused' } })
  })
})

describe('no bridge', () => {
  const unavailable = { code: 'bridge-unavailable', fault: 'machine', report: { machine: 'builder:2222' } }

  it('where the machine has nothing to make one of', async () => {
    await expect(open((command) => command.print(say('none')))).rejects.toMatchObject(unavailable)
  })

  it('where guix has no repl', async () => {
    const play: Play = (command) => {
      command.print(say('guix'))
      command.complain('guix: repl: command not found\n')
      command.exit(1)
    }
    await expect(open(play)).rejects.toMatchObject({ ...unavailable, report: { seen: 'exit status 1: guix: repl: command not found' } })
  })

  // Regression: the refusal of our program was taken for the machine's failure when it came before the end of the output.
  it('where guix has ended before it gets our program', async () => {
    const play: Play = (command) => {
      command.print(say('guix'))
      command.complain('guix: repl: command not found\n')
      command.refuseInput(new Error('the command has ended and reads no more input'))
      setTimeout(() => command.exit(1), 10)
    }
    await expect(open(play)).rejects.toMatchObject({ ...unavailable, report: { seen: 'exit status 1: guix: repl: command not found' } })
  })

  it('where the login never stops talking', async () => {
    await expect(open((command) => command.print('x'.repeat(100_000)))).rejects.toMatchObject(unavailable)
  })

  it('that hangs is given up', async () => {
    await expect(open(() => undefined, 20)).rejects.toMatchObject({ code: 'daemon-silent' })
  })

  it('after an abort', async () => {
    const controller = new AbortController()
    const opening = openBridge(playedConnection([() => undefined]), { signal: controller.signal })
    const reason = new Error('the client went away')
    setTimeout(() => controller.abort(reason), 10)
    await expect(opening).rejects.toBe(reason)
  })
})

describe('the script of a bridge', () => {
  /** PATH is emptied of all but the shell's own words: what is there depends on the machine the tests run on. */
  const run = (socket: string, environment: NodeJS.ProcessEnv): Promise<string> =>
    new Promise((resolve, reject) => {
      const echoing = bridgeScript.replace(/^PATH=.*$/m, 'command() { [ "$2" = "$HAS" ]; }').replaceAll('exec ', 'echo ')
      const child = spawn('/bin/sh', ['-c', echoing, 'sh', socket], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      child.on('error', reject).on('close', () => resolve(output.split('\n')[1] ?? ''))
    })

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['/run/daemon/socket', { HAS: 'socat' }, 'socat -b 65536 - UNIX-CONNECT:/run/daemon/socket'],
    ['/run/daemon/socket', { HAS: 'socat', GUIX_DAEMON_SOCKET: '/other' }, 'socat -b 65536 - UNIX-CONNECT:/other'],
    ['/run/daemon/socket', { HAS: 'socat', GUIX_DAEMON_SOCKET: 'unix:///other' }, 'socat -b 65536 - UNIX-CONNECT:/other'],
    ['/run/daemon/socket', { HAS: 'socat', GUIX_DAEMON_SOCKET: 'file:///other' }, 'socat -b 65536 - UNIX-CONNECT:/other'],
    ['/run/daemon/socket', { HAS: 'guix' }, 'guix repl -t machine'],
    ['/odd,name:x', { HAS: 'socat' }, ''],
    ['guix://host:1234', { HAS: 'socat' }, ''],
  ])('for %s in %j: %s', async (socket, environment, command) => {
    expect(await run(socket, environment)).toBe(command)
  })

  it('is good for a shell', async () => {
    const child = spawn('/bin/sh', ['-n', '-c', bridgeScript])
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
  })
})
