// Makes dist from src: the types have been checked by tsc, which writes the declarations; this writes the JavaScript, in few files. guix-daemon starts the hook for every build and waits for
// it, and most of its start would be spent on finding and opening some two hundred small modules. What is loaded on first use stays a file of its own.
import { readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { pluginFolders } from './plugin-folders.js'

/** Packages that are taken in, their notices with them: small, needed at every start, and made of many files, or not published by themselves. All others stay outside. */
const taken = /^(tsyringe|reflect-metadata|tslib|guix-offload-ssh-common)(\/|$)/

const otherPackagesOutside = {
  name: 'other-packages-outside',
  setup(builder) {
    builder.onResolve({ filter: /^[^./]/ }, ({ kind, path }) => (kind === 'entry-point' || taken.test(path) ? undefined : { path, external: true }))
  },
}

const root = fileURLToPath(new URL('..', import.meta.url))
const commands = readdirSync(join(root, 'src/commands'), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/support'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))

/** Chunks are named by their contents: those of earlier builds would pile up. */
function removeScripts(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && /\.js(\.map)?$/.test(entry.name)) rmSync(join(entry.parentPath, entry.name))
  }
}

/** Each group shares chunks within itself alone. */
async function bundle(folder, ...groups) {
  removeScripts(join(root, folder, 'dist'))
  for (const entryPoints of groups) await buildGroup(folder, entryPoints)
}

async function buildGroup(folder, entryPoints) {
  const outdir = join(root, folder, 'dist')
  await build({
    absWorkingDir: join(root, folder),
    entryPoints,
    outdir,
    outbase: 'src',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    plugins: [otherPackagesOutside],
    // Comments and blanks cost time to read, too. Names stay: they stand in stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
  })
}

await bundle('.', [...commands, 'src/plugin-api/index.ts', 'src/plugin-host/complete-environment.ts'], ['src/plugin-api/testing/index.ts'])
for (const plugin of pluginFolders(root)) await bundle(plugin, ['src/contribute.ts'])
