import { errorFactory } from '../../errors/error-factory.js'
import type { Log, PluginHost } from '../index.js'

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined }

/**
 * What a transport's factory gets, outside of the program: errors as the program makes them, and a log that says nothing.
 * @param options the transport's section of the configuration file's `plugins`
 */
export function testingHost(options?: unknown, log = quiet): PluginHost {
  const unavailable = (what: string) => async (): Promise<never> => Promise.reject(new Error(`${what} is only to be had in the program: pass your own`))
  return { errors: errorFactory, log, options, scheme: unavailable('scheme()'), readTrustedFile: unavailable('readTrustedFile()') }
}
