/**
 * Version of the public plugin API (semantic): a new member raises the middle number, one that was changed or is gone the first. The report in
 * `test/golden/plugin-api.txt` holds what it stands for.
 */
export const apiVersion = '1.0.0'

/**
 * Why a plugin that was written for that version of the API cannot be used; undefined if it can. It names the oldest version that has what it needs: newer ones of the same
 * first number will do.
 */
export function apiObstacle(wanted: unknown, offered = apiVersion): string | undefined {
  if (wanted === undefined) return undefined
  const text = typeof wanted === 'string' ? wanted : ''
  const want = numbers(text)
  const have = numbers(offered)
  if (want === undefined || have === undefined) return `its package.json asks for version ${JSON.stringify(wanted)} of the plugin API, which is none (expected one like "${offered}")`
  const enough = want[0] === have[0] && (want[1] < have[1] || (want[1] === have[1] && want[2] <= have[2]))
  return enough ? undefined : `it asks for version ${text} of the plugin API, and this guix-offload has ${offered}`
}

function numbers(text: string): readonly [number, number, number] | undefined {
  const [, major, minor = '0', patch = '0'] = /^\^?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?$/.exec(text) ?? []
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}
