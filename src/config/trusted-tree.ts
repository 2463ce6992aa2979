/**
 * A folder of code that something else will load from, as {@link checkTrusted} checks one file: the folder, everything in it however deep, whatever its links
 * point to, and, since Node looks there for a package that is not in it, each `node_modules` beside the folders above.
 *
 * Synchronous, with one `lstat` for each entry: the hook waits for it whenever plugins are installed, and that way it takes some 10 µs for each file.
 */
import { lstatSync, readdirSync, realpathSync, type Stats } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { check, checkTrusted, trustedOwners, type TrustRequest } from './trusted-file.js'

/**
 * @returns its path without links
 * @throws ConfigurationError `untrusted-file`; Error of node:fs if it does not exist or may not be read
 */
export async function checkTrustedTree(folder: string, request: TrustRequest): Promise<string> {
  const root = await checkTrusted(folder, request)
  checkPackagesAbove(root, request)
  const trees = new Set([root])
  // What links lead to is appended while this runs.
  for (const tree of trees) {
    for (const target of checkBelow(tree, request)) {
      if (![...trees].some((known) => isWithin(target, known))) trees.add(await checkTrusted(target, request))
    }
  }
  return root
}

/** @returns where links lead that point out of the tree, without links */
function checkBelow(tree: string, request: TrustRequest): string[] {
  const owners = trustedOwners(request)
  const outside: string[] = []
  const folders = [tree]
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    const here = lstatSync(path)
    check(path, withoutSticky(here), owners, request.step)
    if (!here.isDirectory()) continue
    for (const name of readdirSync(path)) {
      const entry = join(path, name)
      const stats = lstatSync(entry)
      if (stats.isDirectory()) {
        folders.push(entry)
        continue
      }
      check(entry, stats, owners, request.step)
      const target = stats.isSymbolicLink() ? targetOf(entry) : undefined
      if (target !== undefined && !isWithin(target, tree)) outside.push(target)
    }
  }
  return outside
}

/** Of these only the folder itself: what is in it belongs to whoever may write there. */
function checkPackagesAbove(root: string, request: TrustRequest): void {
  const owners = trustedOwners(request)
  for (let folder = root; folder !== dirname(folder);) {
    folder = dirname(folder)
    const packages = join(folder, 'node_modules')
    const stats = lstatSync(packages, { throwIfNoEntry: false })
    if (stats !== undefined) check(packages, withoutSticky(stats), owners, request.step)
  }
}

/** The sticky bit protects what is there, but one more file is enough to change what is loaded. */
function withoutSticky(stats: Stats): Stats {
  stats.mode &= ~0o1000
  return stats
}

/** Undefined for a link that leads nowhere: nothing can be loaded through it. */
function targetOf(link: string): string | undefined {
  try {
    return realpathSync(link)
  } catch {
    return undefined
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep)
}
