import type { BuildRequest } from '../plugin-api/index.js'
import type { Selection } from './machine-selector.js'

export interface AnswerPolicy {
  /** The system guix-daemon builds for by itself. */
  readonly daemonSystem: string
  /** `local`: build here what could be built here rather than wait for machines that are all dead. */
  readonly onUnreachable: 'local' | 'wait'
}

/**
 * What guix-daemon is told when no machine was chosen. After `decline` it builds locally or fails; after `postpone` it asks again. So decline what no
 * machine will ever take, and what no machine answers for if the daemon is able to build it now.
 */
export function answerWithout(
  selection: Exclude<Selection, { kind: 'chosen' }>,
  request: BuildRequest,
  { daemonSystem, onUnreachable }: AnswerPolicy,
): 'decline' | 'postpone' {
  const couldBuild = request.wantsLocal && request.system === daemonSystem
  switch (selection.kind) {
    case 'none':
      return 'decline'
    case 'busy':
      return 'postpone'
    case 'disabled':
      // Nobody knows for how long. What cannot be built here waits rather than fails.
      return couldBuild ? 'decline' : 'postpone'
    case 'unreachable':
      return onUnreachable === 'local' && couldBuild ? 'decline' : 'postpone'
  }
}
