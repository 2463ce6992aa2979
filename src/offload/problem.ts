import { OffloadError } from '../errors/offload-error.js'
import type { Problem } from './reports.js'

/** An error as reports carry it. */
export function problemOf(error: unknown): Problem {
  if (error instanceof OffloadError) return { code: error.code, message: error.message, cure: error.report.cure }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}
