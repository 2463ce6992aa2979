import type { Listing } from '../../offload/reports.js'
import { placeOf } from './machines-report.js'

/** Warnings for stderr, whatever the format of the report. */
export function listingWarnings({ warnings, failures }: Listing): string[] {
  return [
    ...failures.map(({ source, problem }) => `machine source ${source}: ${problem.message}`),
    ...warnings.map(({ message, location }) => [placeOf(location), message].filter((part) => part !== undefined).join(': ')),
  ]
}

/** Whether everything that was asked for is listed. */
export function listingComplete({ warnings, failures }: Listing): boolean {
  return failures.length === 0 && warnings.every(({ dropped }) => dropped !== true)
}
