import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { cacheFolder } from './cache.js'
import { type GuixVersion, recipeKey, recipes } from './root-recipe.js'
import { quote } from './shell.js'

const exists = (path: string) => access(path).then(() => true, () => false)

/** The Debian mirror this host itself uses. */
const hostMirror = async () => {
  const { stdout } = await execa('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages', 'Origin: Debian', 'Label: Debian'])
  const mirror = stdout.split('\n').find((line) => line !== '')
  if (mirror === undefined) throw new Error('This host\'s apt knows no Debian mirror: add one to its sources and run `apt-get update`')
  return mirror
}

/**
 * The unpacked root file system with that Guix, built on first use (about half a minute and 800 MB).
 * Built under a temporary name and renamed, under a lock that the kernel releases with its holder: a killed build leaves only a
 * temporary folder, which the next one removes. Its mounts are in a namespace of its own for the same reason.
 */
export const rootFileSystem = async (guix: GuixVersion): Promise<string> => {
  const recipe = recipes[guix]
  const target = join(cacheFolder(), `root-${guix}-${recipeKey(recipe)}`)
  if (await exists(target)) return target
  await mkdir(cacheFolder(), { recursive: true })
  const temporary = `${target}.new`
  const bootstrap = [
    'mmdebstrap', '--mode=root', '--variant=minbase', '--format=directory', '--aptopt=Acquire::Check-Valid-Until "false"',
    `--include=${recipe.packages.join(',')}`, `--customize-hook=${recipe.setUp}`, recipe.suite, temporary, await hostMirror(),
  ]
  const script = [
    'set -eu',
    `[ ! -d ${quote(target)} ] || exit 0`,
    `echo ${quote(`test bed: building the root file system with Guix ${guix} from Debian ${recipe.suite}, once`)} >&3`,
    `rm -rf ${quote(temporary)}`,
    quote('unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...bootstrap),
    `mv ${quote(temporary, target)}`,
  ].join('\n')
  await execa('flock', [`${target}.lock`, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe', 2] })
  return target
}
