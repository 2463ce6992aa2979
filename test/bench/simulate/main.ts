/**
 * Plays graphs of derivations on simulated farms under each strategy: `npm run simulate [-- --seeds N]`. Nothing is built and nothing is contacted.
 */
import { parseArgs } from 'node:util'
import { guixStrategy } from '../../../plugins/scheduler-guix/src/guix-strategy.js'
import { leastLoadedStrategy } from '../../../plugins/scheduler-least-loaded/src/least-loaded-strategy.js'
import { localityStrategy } from '../../../plugins/scheduler-locality/src/locality-strategy.js'
import { report } from './report.js'
import { scenarios } from './scenarios.js'

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '3' } } })
await report(scenarios(), [guixStrategy, leastLoadedStrategy, localityStrategy], Number(values.seeds))
