/** `1.2 GiB` */
export function describeBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  let exponent = 0
  while (exponent < units.length - 1 && bytes >= 1024 ** (exponent + 1)) exponent += 1
  return `${(bytes / 1024 ** exponent).toFixed(exponent === 0 ? 0 : 1)} ${units[exponent] ?? ''}`
}
