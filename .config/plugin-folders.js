// The bundled plugins, as folders from the root. Packages that they share (scheduler-common, ssh-common) stand beside them and are no plugins.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const contributes = (root, folder) => 'oclif' in JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

export const pluginFolders = (root) =>
  readdirSync(join(root, 'plugins'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join('plugins', entry.name))
    .filter((folder) => contributes(root, folder))
