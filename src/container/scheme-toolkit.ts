/**
 * The evaluator of machine files. Reading its source, and compiling its functions as they are first called, takes most of the time that a machine file adds to a hook's start. V8 can keep the
 * outcome for a script: `setup`, and the build, leave it beside the evaluator, among the files of this program, where whoever can put another in its place can change the program as well.
 */
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import type { Bytecode } from '../offload/setup/bytecode.js'
import type { SchemeToolkit } from '../plugin-api/index.js'

/** Set by the bundler: the file name of the evaluator as a script. */
declare const EVALUATOR: string | undefined

const evaluator = typeof EVALUATOR === 'undefined' ? undefined : fileURLToPath(new URL(`../scheme/${EVALUATOR}`, import.meta.url))

export async function loadSchemeToolkit(): Promise<SchemeToolkit> {
  // In the source tree nothing is bundled.
  if (evaluator === undefined) return (await import('../scheme/toolkit.js')).schemeToolkit
  return toolkitOf(compile(evaluator, present(bytecodePath(evaluator))))
}

/** What to keep beside the evaluator; undefined in the source tree. */
export function evaluatorBytecode(): Bytecode | undefined {
  if (evaluator === undefined) return undefined
  return {
    path: bytecodePath(evaluator),
    async make() {
      const { commonProgram, emptyWorld } = await import('./common-program.js')
      const script = compile(evaluator)
      // V8 keeps the functions that have been called.
      await toolkitOf(script).evaluate(commonProgram, emptyWorld)
      return script.createCachedData()
    },
  }
}

/** For this very node, which may have been rebuilt with the same version, and for this very evaluator, whose name has a hash of its contents. */
function bytecodePath(script: string): string {
  const { size, mtimeMs } = statSync(process.execPath)
  return `${script}.${process.version}-${process.arch}-${size}-${Math.trunc(mtimeMs)}.bytecode`
}

function present(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** The bundler writes ASCII only. V8 refuses bytecode that does not suit it, and compiles. */
function compile(path: string, cachedData?: Buffer): Script {
  return new Script(readFileSync(path, 'latin1'), cachedData === undefined ? { filename: path } : { filename: path, cachedData })
}

function toolkitOf(script: Script): SchemeToolkit {
  return (script.runInThisContext() as { readonly schemeToolkit: SchemeToolkit }).schemeToolkit
}
