import { userInfo } from 'node:os'
import { describe, expect, it } from 'vitest'
import { localDaemonSocket, readEnvironment } from '../../../src/config/environment.js'

describe('the environment', () => {
  it('has the defaults of Guix', () => {
    const environment = readEnvironment({ HOME: '/nowhere' })
    expect(environment).toMatchObject({
      configurationDirectory: '/etc/guix', stateDirectory: '/var/guix', storeDirectory: '/gnu/store', homeDirectory: userInfo().homedir, configurationFile: undefined,
    })
    expect(localDaemonSocket(environment)).toBe('/var/guix/daemon-socket/socket')
  })

  it('follows the variables of Guix', () => {
    const environment = readEnvironment({
      GUIX_CONFIGURATION_DIRECTORY: '/srv/etc/', GUIX_STATE_DIRECTORY: '/srv/var', NIX_STORE_DIR: '/srv/store', GUIX_OFFLOAD_CONFIG: 'here.yaml',
    })
    expect(environment).toMatchObject({ configurationDirectory: '/srv/etc', stateDirectory: '/srv/var', storeDirectory: '/srv/store', configurationFile: `${process.cwd()}/here.yaml` })
    expect(localDaemonSocket(environment)).toBe('/srv/var/daemon-socket/socket')
    expect(readEnvironment({ GUIX_STATE_DIRECTORY: '', GUIX_OFFLOAD_CONFIG: '' })).toMatchObject({ stateDirectory: '/var/guix', configurationFile: undefined })
  })

  it.each([['/run/socket', '/run/socket'], ['file:///run/socket', '/run/socket'], ['unix:///run/socket', '/run/socket']])('takes %s for a socket', (address, expected) => {
    expect(localDaemonSocket(readEnvironment({ GUIX_DAEMON_SOCKET: address }))).toBe(expected)
  })

  it.each(['guix://host', 'ssh://host', 'relative', 'file://host/run/socket'])('refuses %s', (address) => {
    expect(() => localDaemonSocket(readEnvironment({ GUIX_DAEMON_SOCKET: address }))).toThrowError(expect.objectContaining({ code: 'daemon-not-local' }))
  })
})
