/**
 * What decides, before any machine is looked at, whether guix-daemon asks its hook. From the daemon's source (nix/libstore/build.cc, `tryToBuild` and
 * `tryBuildHook`; nix/nix-daemon/nix-daemon.cc, `wopSetOptions`) and from what real daemons did on the test bed.
 */
import type { Derivation } from '../../local-store/derivation-file.js'
import { buildsNatively, type DaemonOptions } from './daemon-options.js'
import type { DaemonProcess } from './daemon-process.js'
import type { HookProgram } from './hook-program.js'
import type { Circumstance } from './report.js'
import type { StoreFacts } from './store-facts.js'

/** A guix-daemon that runs, if any is to be seen. */
export interface SeenDaemon {
  readonly process: DaemonProcess
  readonly options: DaemonOptions
  readonly hook: HookProgram
}

export function aboutDaemon(daemon: SeenDaemon | undefined): Circumstance[] {
  if (daemon === undefined) {
    return [{ code: 'daemon-not-seen', blocks: false, message: 'no guix-daemon process is to be seen, so its options and its hook are not known', cure: 'Run this as root, on the host that guix-daemon runs on' }]
  }
  const { process: { pid }, options, hook } = daemon
  const offload: Circumstance[] = !options.noOffload ? [] : [{
    code: 'no-offload', blocks: false,
    message: `guix-daemon (process ${pid}) runs with --no-offload: it asks no hook for clients that say nothing about offloading; \`guix build\` and the like do say, and are not kept from it`,
  }]
  return [...aboutHook(hook, pid), ...offload]
}

function aboutHook(hook: HookProgram, pid: number): Circumstance[] {
  const cure = 'Run `guix-offload setup` and restart guix-daemon; where the guix-daemon of `guix pull` is started, which sets GUIX itself, start the one of a guix package instead'
  switch (hook.kind) {
    case 'ours':
      return []
    case 'unknown':
      return [{ code: 'hook-unknown', blocks: false, message: `the environment of guix-daemon (process ${pid}) is not ours to read, so which hook it has is not known`, cure: 'Run this as root' }]
    case 'built-in':
      return [{ code: 'hook-not-set', blocks: true, message: `guix-daemon (process ${pid}) has no GUIX in its environment: its hook is guix's own \`guix offload\``, cure }]
    case 'other':
      return [{ code: 'hook-other', blocks: true, message: `guix-daemon (process ${pid}) has GUIX=${hook.path} in its environment, which says that it is "${hook.answer}"`, cure }]
    case 'broken':
      return [{ code: 'hook-broken', blocks: true, message: `guix-daemon (process ${pid}) has GUIX=${hook.path} in its environment, which does not work: ${hook.answer}`, cure: 'Run `guix-offload setup`' }]
  }
}

/** @param variables the caller's: what `guix build` started from here would read */
export function aboutClient(variables: Readonly<Record<string, string | undefined>>): Circumstance[] {
  const words = (variables.GUIX_BUILD_OPTIONS ?? '').split(/\s+/)
  const option = words.find((word) => word === '--no-offload' || word === '--no-build-hook')
  return option === undefined ? [] : [{
    code: 'client-no-offload', blocks: false, message: `GUIX_BUILD_OPTIONS has ${option} here: what is built with it is not offloaded`, cure: 'Unset it, or take that option out',
  }]
}

/** @param daemonSystem the system guix-daemon builds for by itself */
export function aboutDerivation(derivation: Derivation, daemonSystem: string): Circumstance[] {
  if (derivation.environment.get('preferLocalBuild') !== '1' || !buildsNatively(daemonSystem, derivation.system)) return []
  return [{
    code: 'prefers-local-build', blocks: true,
    message: `the derivation has preferLocalBuild: guix-daemon, which builds for ${derivation.system} itself, does so without asking`,
    cure: 'That is what `#:local-build? #t` in its definition means; it is meant for what takes less time to do than to send',
  }]
}

export function aboutStore({ derivationValid, outputsMissing, inputsMissing, substitutable }: StoreFacts): Circumstance[] {
  const circumstances: Circumstance[] = []
  if (!derivationValid) circumstances.push({ code: 'derivation-not-valid', blocks: true, message: 'the derivation is not in the store as far as guix-daemon knows' })
  if (outputsMissing.length === 0) {
    return [...circumstances, { code: 'built-already', blocks: true, message: 'its outputs are in the store already: there is nothing to build', cure: '`guix build --check` builds again, always on this host' }]
  }
  if (substitutable === undefined) {
    circumstances.push({ code: 'substitutes-unknown', blocks: false, message: 'whether a substitute server has it could not be found out in time; guix-daemon asks those first' })
  } else if (substitutable.length === outputsMissing.length) {
    circumstances.push({
      code: 'substitute-available', blocks: false, message: 'a substitute server has it: guix-daemon fetches it from there unless it is told --no-substitutes',
    })
  }
  const [first] = inputsMissing
  if (first !== undefined) {
    const more = inputsMissing.length === 1 ? '' : ` and ${inputsMissing.length - 1} more`
    circumstances.push({ code: 'inputs-missing', blocks: false, message: `it needs ${first}${more}, to be built or fetched first: the hook is asked for it after that` })
  }
  return circumstances
}
