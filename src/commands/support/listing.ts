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

/** What an empty list means. @param names the expression by which machines were selected, if any */
export function noMachines(names: string | undefined): string {
  return names === undefined ? 'there are no build machines' : `there is no build machine whose name matches ${JSON.stringify(names)}`
}
