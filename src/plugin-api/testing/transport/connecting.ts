import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { never, usual, type TransportBench } from './bench.js'
import { output } from './streams.js'

/** Where SSH connects to, what it refuses, and what it says when it cannot. */
export function connectingTests(bench: TransportBench): void {
  describe('a machine with an address', () => {
    const name = 'no-such-machine.invalid'
    const addressOfMachine = async (): Promise<string> => bench.subject.machine.address ?? (await lookup(bench.subject.machine.name)).address

    it('is reached there, whatever its name resolves to, and goes by its name', async () => {
      const address = await addressOfMachine()
      const connection = await bench.connect({ name, address })
      expect(connection.machine).toMatchObject({ name, address })
      const process = await connection.exec(['echo', 'here'], { signal: never })
      expect((await output(process)).toString()).toBe('here\n')
    })

    it('is held to its host key all the same', async () => {
      const failure = await bench.refusal({ name, address: await addressOfMachine(), hostKey: bench.ssh.otherHostKey })
      expect(failure.code).toBe('host-key-mismatch')
    })

    it('is looked for nowhere else', async () => {
      // To a multicast address no TCP connection can be made, and nothing is sent.
      const failure = await bench.refusal({ address: '224.0.0.1' })
      expect(failure.code).toBe('network-unreachable')
    })
  })

  describe('refuses', () => {
    it('another host key', async () => {
      const failure = await bench.refusal({ hostKey: bench.ssh.otherHostKey })
      expect(failure.code).toBe('host-key-mismatch')
      expect(failure.message.match(/SHA256:[A-Za-z0-9+/]{43}/g)).toHaveLength(2)
    })

    it('a host key it cannot read, saying where it stands', async () => {
      const location = { file: '/etc/guix/machines.scm', line: 7, column: 3 }
      const failure = await bench.refusal({ hostKey: 'ssh-ed25519 not/a=key', location })
      expect(failure).toMatchObject({ code: 'host-key-invalid', fault: 'configuration' })
      expect(failure.message).toContain('/etc/guix/machines.scm:7:3')
    })

    it('to log in as a user the machine does not know', async () => {
      const failure = await bench.refusal({ user: 'nobody-of-that-name' })
      expect(failure.code).toBe('authentication-refused')
      expect(failure.message).toContain('nobody-of-that-name')
    })

    it('to log in with a key the machine does not know, naming it', async () => {
      const failure = await bench.refusal({ privateKey: bench.ssh.keys.unknown })
      expect(failure.code).toBe('authentication-refused')
      expect(failure.message).toContain(bench.ssh.keys.unknown)
    })

    it.each([['encrypted', 'private-key-encrypted'], ['garbled', 'private-key-invalid'], ['missing', 'private-key-missing']] as const)(
      'a private key that is %s',
      async (kind, code) => {
        const failure = await bench.refusal({ privateKey: bench.ssh.keys[kind] })
        expect(failure).toMatchObject({ code, fault: 'configuration', retry: 'other-machine' })
        expect(failure.message).toContain(bench.ssh.keys[kind])
      },
    )

    it('to guess when there is no private key at all', async () => {
      const failure = await bench.refusal({ privateKey: undefined })
      expect(failure.code).toBe('private-key-missing')
      expect(failure.message).toContain(join(bench.subject.homeDirectory, bench.ssh.usualKey ?? join('.ssh', 'id_ed25519')))
    })
  })

  describe('in trouble', () => {
    it('says that a name cannot be resolved', async () => {
      const failure = await bench.refusal({ name: 'no-such-machine.invalid' })
      expect(failure.code).toBe('name-not-found')
    })

    it('says that a port is closed', async () => {
      const failure = await bench.refusal({ port: 1 })
      expect(failure.code).toBe('connection-refused')
    })

    it('gives up in time on a server that accepts and says nothing', () => listening(() => undefined, async (server) => {
      const begin = performance.now()
      const failure = await bench.refusal(server, { handshakeMs: 400 })
      expect(failure.code).toBe('handshake-timeout')
      expect(performance.now() - begin).toBeGreaterThan(390)
      expect(performance.now() - begin).toBeLessThan(usual.handshakeMs)
    }))

    it('says that something else listens on the port', () => listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'), async (server) => {
      const failure = await bench.refusal(server)
      expect(failure.code).toBe('not-an-ssh-server')
    }))

    it('stops connecting at once when aborted', () => listening(() => undefined, async (server) => {
      const controller = new AbortController()
      const reason = new Error('another machine was faster')
      const attempted = bench.attempt(server, {}, { signal: controller.signal })
      setTimeout(() => controller.abort(reason), 100)
      await expect(attempted).rejects.toBe(reason)
    }))
  })
}

/** While something that is no SSH server listens, there for a machine to be. */
async function listening(greet: (socket: Socket) => unknown, use: (there: { readonly name: string, readonly port: number }) => Promise<void>): Promise<void> {
  const server = createServer(greet).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await use({ name: '127.0.0.1', port: (server.address() as AddressInfo).port })
  } finally {
    server.close()
  }
}
