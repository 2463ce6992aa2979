import type { DaemonOptions } from '../protocol/requests.js'
import type { BuildOptions } from './remote-store.js'

/**
 * The daemon's options for a build of ours. With both verbosities 0 and without build trace, 1.2.0 and 1.5.0 send the builder's output byte for byte,
 * without the framing of `multiplexed-build-output`, and of their own messages only errors.
 */
export function daemonOptions(options: BuildOptions): DaemonOptions {
  return {
    keepFailed: false,
    keepGoing: false,
    fallback: true,
    verbosity: 0,
    buildVerbosity: 0,
    useBuildHook: options.offloadOnward ?? false,
    printBuildTrace: false,
    useSubstitutes: options.useSubstitutes ?? true,
    settings: {
      'build-max-silent-time': String(options.maxSilentTime),
      'build-timeout': String(options.timeout),
      ...(options.cores === undefined ? {} : { 'build-cores': String(options.cores) }),
    },
  }
}
