import type { ErrorFactory } from '../plugin-api/index.js'
import { ConfigurationError, MachineError, OffloadError, ProtocolError, TrustError } from './offload-error.js'

/** What plugins make their errors with. */
export const errorFactory: ErrorFactory = {
  configuration: (report, retry) => new ConfigurationError(report, retry),
  machine: (report, retry) => new MachineError(report, retry),
  protocol: (report, retry) => new ProtocolError(report, retry),
  trust: (report, retry) => new TrustError(report, retry),
  is: (error) => error instanceof OffloadError,
}
