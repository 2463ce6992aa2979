/** Adds lines as a hook process does: FILE NAME COUNT LIMIT. */
import { appendLine } from '../../../src/state/append-line.js'

const [file = '', name = '', count = '', limit = ''] = process.argv.slice(2)
for (let number = 0; number < Number(count); number += 1) {
  appendLine(file, JSON.stringify({ time: 't', name, number, filling: name.repeat(500 + (number % 7) * 300) }), Number(limit))
}
