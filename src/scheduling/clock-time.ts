/** `12:03:05`, local time. @param time milliseconds since the epoch */
export function clockTime(time: number): string {
  const date = new Date(time)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
}

/** `2026-05-01 12:03`, local time. @param time milliseconds since the epoch */
export function dateAndTime(time: number): string {
  const date = new Date(time)
  const day = [date.getFullYear(), ...[date.getMonth() + 1, date.getDate()].map(twoDigits)].join('-')
  return `${day} ${clockTime(time).slice(0, 5)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
