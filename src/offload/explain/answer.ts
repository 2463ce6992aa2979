import type { BuildRequest } from '../../plugin-api/index.js'
import { answerWithout, type AnswerPolicy } from '../../scheduling/answer.js'
import type { Finding, Survey } from '../../scheduling/survey.js'
import { buildsNatively } from './daemon-options.js'
import type { Answer } from './report.js'

/** What guix-daemon would be told, why, and what it does then. */
export function answerTo(request: BuildRequest, survey: Survey, policy: AnswerPolicy): Answer {
  if (survey.kind === 'chosen') {
    const chosen = survey.findings.find(({ verdict: { code } }) => code === 'chosen')
    const reason = chosen === undefined ? 'a machine is fit' : `${chosen.verdict.machine.name} takes it: ${chosen.verdict.reason}${equals(chosen, survey)}`
    return { reply: 'accept', machine: survey.machine, probe: chosen?.verdict.probe, reason }
  }
  const reply = answerWithout({ kind: survey.kind, verdicts: survey.findings.map(({ verdict }) => verdict) }, request, policy)
  const why = reasons[survey.kind](survey.findings.length)
  return { reply, reason: `${why}; ${reply === 'postpone' ? waiting(survey.kind, request, policy) : afterDecline(request, policy.daemonSystem)}` }
}

/** A strategy may let chance decide between those. */
function equals(chosen: Finding, { findings }: Survey): string {
  const same = findings.filter(({ verdict: { code }, ranked }) => code === 'not-needed' && ranked?.score === chosen.ranked?.score)
  return same.length === 0 ? '' : `; or ${same.map(({ verdict: { machine } }) => machine.name).join(', ')}, which rank${same.length === 1 ? 's' : ''} the same`
}

const reasons = {
  none: (machines: number) => (machines === 0 ? 'there are no build machines' : 'no machine can build this kind of derivation'),
  busy: () => 'no machine that could build it can take it now',
  disabled: () => 'people have disabled every machine that could build it',
  unreachable: () => 'no machine that could build it can be used',
} as const

function waiting(kind: Survey['kind'], { wantsLocal, system }: BuildRequest, { daemonSystem, onUnreachable }: AnswerPolicy): string {
  const again = 'guix-daemon asks again every few seconds'
  if (kind === 'busy') return again
  if (kind === 'unreachable' && onUnreachable === 'wait') return `${again}, since the configuration has onUnreachable: wait`
  if (system !== daemonSystem) return `${again}, since this host does not build for ${system}`
  return wantsLocal ? again : `${again}, since it may not build itself (--max-jobs=0)`
}

function afterDecline({ wantsLocal, system }: BuildRequest, daemonSystem: string): string {
  if (!wantsLocal) return 'guix-daemon may not build it itself (--max-jobs=0), so the build fails'
  if (buildsNatively(daemonSystem, system)) return 'guix-daemon builds it on this host'
  return `guix-daemon tries on this host, which fails unless something here emulates ${system}`
}
