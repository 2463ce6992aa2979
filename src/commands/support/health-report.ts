import type { HealthFacts } from '../../scheduling/health.js'

/** Points in time in ISO 8601; null where there is nothing to say. */
export function healthJson({ disabled, setAside, lastProbe }: HealthFacts) {
  return {
    disabled: disabled === undefined ? null : { since: instant(disabled.since), until: disabled.until === undefined ? null : instant(disabled.until), by: disabled.by ?? null },
    setAside: setAside === undefined
      ? null
      : {
          until: instant(setAside.until),
          since: instant(setAside.since),
          failures: setAside.failures,
          lastError: { at: instant(setAside.at), code: setAside.code, message: setAside.reason },
        },
    lastProbe: lastProbe === undefined ? null : { at: instant(lastProbe.at), normalizedLoad: lastProbe.normalizedLoad, freeBytes: lastProbe.freeBytes },
  }
}

function instant(time: number): string {
  return new Date(time).toISOString()
}
