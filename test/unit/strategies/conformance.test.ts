/** What plugins of third parties are held to holds for ours. */
import { strategyConformance } from 'guix-offload/plugin-api/testing'
import { guixStrategy } from '../../../plugins/scheduler-guix/src/guix-strategy.js'
import { leastLoadedStrategy } from '../../../plugins/scheduler-least-loaded/src/least-loaded-strategy.js'
import { localityStrategy } from '../../../plugins/scheduler-locality/src/locality-strategy.js'

strategyConformance('guix', () => guixStrategy)
strategyConformance('least-loaded', () => leastLoadedStrategy)
strategyConformance('locality', () => localityStrategy)
