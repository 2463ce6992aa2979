/**
 * npm, as found beside node or in PATH: whoever installs plugins has installed this program with it. Of npm's own packages nothing is depended on, they are several times as large
 * as all of ours.
 */
import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'

export interface NpmOptions {
  /** Run the scripts that packages want to run when they are installed, such as compilers for native parts. */
  readonly scripts: boolean
  readonly signal: AbortSignal
}

const complaintLines = 12

/**
 * Installs a package with all it depends on into `node_modules` of that folder.
 * @param spec whatever npm knows: `NAME`, `NAME@VERSION`, an address, an absolute path
 * @throws ConfigurationError `npm-missing`, `npm-failed` with the last lines that npm printed
 */
export async function npmInstall(folder: string, spec: string, { scripts, signal }: NpmOptions): Promise<void> {
  const words = [
    'install', '--prefix', folder, '--omit=dev', '--no-audit', '--no-fund', '--no-package-lock', '--no-update-notifier', '--loglevel=error', '--global=false', '--save',
    // Its peer is this program: npm would ask the registry for that, though the plugin needs nothing of it at run time.
    '--legacy-peer-deps',
    // A folder is copied, not linked to: `plugins link` does that.
    '--install-links',
    ...(scripts ? ['--ignore-scripts=false', '--dangerously-allow-all-scripts'] : ['--ignore-scripts']),
    '--', spec,
  ]
  const step = `installing ${spec}`
  const { status, complaint } = await run('npm', words, folder, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new ConfigurationError({ code: 'npm-missing', step, problem: 'npm cannot be started', cure: 'Install npm, or put it into PATH', cause: error })
  })
  if (status === 0) return
  throw new ConfigurationError({ code: 'npm-failed', step, problem: `npm failed with status ${status ?? 'unknown'}: ${complaint}` })
}

function run(program: string, words: readonly string[], folder: string, signal: AbortSignal): Promise<{ readonly status: number | null; readonly complaint: string }> {
  return new Promise((resolve, reject) => {
    const PATH = [process.env.PATH, dirname(process.execPath)].filter((part) => part !== undefined && part !== '').join(':')
    const child = spawn(program, words, { cwd: folder, env: { ...process.env, PATH }, stdio: ['ignore', 'ignore', 'pipe'], signal })
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (text = (text + piece).slice(-16_384)))
    child.once('error', reject)
    child.once('close', (status) => {
      const lines = text.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim()).filter((line) => line !== '' && !/complete log of this run|^npm warn/.test(line))
      resolve({ status, complaint: lines.slice(-complaintLines).join('; ') })
    })
  })
}
