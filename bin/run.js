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

const words = process.argv.slice(2)
// For people: the hook starts without them.
const pluginAdditions = { core: words[0] === 'offload' ? [] : ['@oclif/plugin-autocomplete', '@oclif/plugin-help'] }

try {
  // Installed plugins are no business of oclif's: see src/plugin-host/installed-plugins.ts.
  await run(words, { root: fileURLToPath(new URL('..', import.meta.url)), devPlugins: false, userPlugins: false, pluginAdditions })
  // A plugin that was given up may have left something open.
  process.exit()
} catch (error) {
  await handle(error)
}
