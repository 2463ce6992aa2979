/** The second way: a file that the built-in evaluator does not know all of goes to real Guile, once. */
import { resolve } from 'node:path'
import type { MachineList, PluginHost, SchemeFailure, SchemeToolkit, SourceContext } from 'guix-offload/plugin-api'
import { failed } from './failure.js'
import { askGuixRepl, findGuix } from './guix-repl.js'
import { machinesIn } from './machines-in.js'
import { optionsOf } from './options.js'
import { answerOf } from './repl-answer.js'
import { worldFor } from './world.js'

/** @throws OffloadFailure with the place that Guile, or else the built-in evaluator, found */
export async function askGuile(path: string, failure: SchemeFailure, context: SourceContext, host: PluginHost, toolkit: SchemeToolkit): Promise<MachineList> {
  const options = optionsOf(host)
  const guix = options.guix === false ? undefined : await findGuix(context, options.guix)
  if (guix === undefined) throw failed(failure, host, 'Guile may know it, but there is no guix here to ask')
  const file = resolve(path)
  const print = (line: string): void => {
    host.log.info(line)
  }
  const answer = await askGuixRepl({ guix, file, context, timeoutMs: options.guixTimeout * 1000, print })
  if (answer.problem !== undefined) throw failed(failure, host, answer.problem)
  const parsed = await toolkit.evaluate({ text: `'${answer.datum}`, file: `${guix} repl` }, worldFor(context, host))
  const read = parsed.failure === undefined ? answerOf(parsed.value, file, context.homeDirectory) : undefined
  if (read === undefined) throw failed(failure, host, `${guix} repl wrote what cannot be read`)
  if (read.failure !== undefined) throw failed({ ...failure, kind: 'raised', problem: read.failure.problem, location: read.failure.location ?? failure.location }, host)
  return { ...machinesIn(read.value, path), engine: 'guix repl' }
}
