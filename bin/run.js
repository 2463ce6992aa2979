#!/usr/bin/env node
// Starts oclif. guix-daemon waits for this at every build: only what every command needs is imported here, by oclif's subpaths, since its main module loads
// twice as much.
import '../dist/plugin-host/complete-environment.js'
import { handle } from '@oclif/core/handle'
import { run } from '@oclif/core/run'
import { settings } from '@oclif/core/settings'
import { fileURLToPath } from 'node:url'

// Otherwise oclif may look for TypeScript sources, or a development set-up, beside the program.
settings.enableAutoTranspile = false

try {
  // Installed plugins are no business of oclif's: see src/plugin-host/installed-plugins.ts.
  await run(process.argv.slice(2), { root: fileURLToPath(new URL('..', import.meta.url)), devPlugins: false, userPlugins: false })
  // A plugin that was given up may have left something open.
  process.exit()
} catch (error) {
  await handle(error)
}
