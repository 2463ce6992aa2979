import { homedir } from 'node:os'
import { join } from 'node:path'

/** Root file systems and running beds live outside the checkout, so that checkouts share them and `git clean` spares them. */
export const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'guix-offload', 'testbed')
export const bedsFolder = () => join(cacheFolder(), 'beds')
