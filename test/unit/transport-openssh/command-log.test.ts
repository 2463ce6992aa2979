import { expect, it } from 'vitest'
import { readCommandLog } from '../../../plugins/transport-openssh/src/command-log.js'

const head = 'OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19\r\ndebug2: mux_client_hello_exchange: master version 4\r\n'
const opened = `${head}debug1: mux_client_request_session: master session id: 2\r\n`

it('follows a command from its channel to its end', () => {
  expect(readCommandLog(head)).toEqual({ opened: false, refused: undefined, exitCode: undefined, messages: [] })
  expect(readCommandLog(opened)).toEqual({ opened: true, refused: undefined, exitCode: undefined, messages: [] })
  expect(readCommandLog(`${opened}debug2: Received exit status from master 255\r\n`).exitCode).toBe(255)
  expect(readCommandLog(`${opened}debug2: Control master terminated unexpectedly\r\n`).exitCode).toBeUndefined()
})

it('tells a refusal from other troubles', () => {
  expect(readCommandLog(`${head}mux_client_request_session: session request failed: Session open refused by peer\r\n`).refused).toBe('Session open refused by peer')
  expect(readCommandLog(`${head}Control socket connect(/x): Connection refused\r\n`)).toEqual({
    opened: false, refused: undefined, exitCode: undefined, messages: ['Control socket connect(/x): Connection refused'],
  })
})
