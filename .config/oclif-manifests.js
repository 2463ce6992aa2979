// Writes oclif.manifest.json for the package and each bundled plugin (`--remove` deletes them), so that oclif need not search folders and import
// every command at each start. Does what `oclif manifest` does, without that package's many dependencies. Only packed packages hold
// manifests: in a checkout a stale one would hide new commands.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Plugin } from '@oclif/core'
import { settings } from '@oclif/core/settings'
import { pluginFolders } from './plugin-folders.js'

settings.enableAutoTranspile = false
const root = fileURLToPath(new URL('..', import.meta.url))
const packages = [root, ...pluginFolders(root).map((folder) => join(root, folder))]

for (const folder of packages) {
  const file = join(folder, 'oclif.manifest.json')
  rmSync(file, { force: true })
  if (process.argv.includes('--remove')) continue
  const plugin = new Plugin({ root: folder, type: 'core', ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
  await plugin.load()
  writeFileSync(file, `${JSON.stringify(plugin.manifest, null, 2)}\n`)
}
