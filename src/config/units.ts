/** Times and sizes as people write them in the configuration file. Each returns undefined for what it does not understand. */
const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytes: Readonly<Record<string, number>> = {
  'B': 1, 'kB': 1e3, 'KB': 1e3, 'MB': 1e6, 'GB': 1e9, 'TB': 1e12, 'KiB': 2 ** 10, 'MiB': 2 ** 20, 'GiB': 2 ** 30, 'TiB': 2 ** 40,
}

function inUnits(text: unknown, units: Readonly<Record<string, number>>): number | undefined {
  const match = typeof text === 'string' ? /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]+)$/.exec(text.trim()) : null
  const [, amount = '', unit = ''] = match ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  const value = factor === undefined ? undefined : Math.round(Number(amount) * factor)
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/** `500ms`, `10s`, `1.5m`, `2h`, `1d` in milliseconds. A number without unit is refused: too many programs mean too many things by it. */
export function parseDuration(text: unknown): number | undefined {
  return inUnits(text, milliseconds)
}

/** `100MiB`, `1GB` or a plain number of bytes. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined
  return typeof value === 'string' && /^\d{1,15}$/.test(value.trim()) ? Number(value) : inUnits(value, bytes)
}

/** In the largest unit that needs no fraction. */
export function printDuration(ms: number): string {
  return inLargest(ms, milliseconds)
}

export function printSize(size: number): string {
  return inLargest(size, { 'B': 1, 'KiB': 2 ** 10, 'MiB': 2 ** 20, 'GiB': 2 ** 30, 'TiB': 2 ** 40 })
}

function inLargest(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).findLast(([, size]) => value >= size && value % size === 0) ?? Object.entries(units)[0] ?? ['', 1]
  return `${value / factor}${unit}`
}
