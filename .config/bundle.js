// Makes dist from src: the types have been checked by tsc, which writes the declarations; this writes the JavaScript, in few files. guix-daemon starts the hook for every build and waits for
// it, and most of its start would be spent on finding and opening some two hundred small modules. What is loaded on first use stays a file of its own.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { pluginFolders } from './plugin-folders.js'

/** Packages that are taken in, their notices with them: small, needed at every start, and made of many files, or not published by themselves. All others stay outside. */
const taken = /^(tsyringe|reflect-metadata|tslib|guix-offload-(scheduler|ssh)-common)(\/|$)/

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
    if (entry.isFile() && /\.(c?js(\.map)?|bytecode)$/.test(entry.name)) rmSync(join(entry.parentPath, entry.name))
  }
}

const options = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  // Comments and blanks cost time to read, too. Names stay: they stand in stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
}

/** The evaluator of machine files, as a script: V8 keeps bytecode for scripts, not for modules (src/container/scheme-toolkit.ts). Resolves with its file name, which has a hash of its contents. */
async function buildEvaluator() {
  const { metafile } = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: ['src/scheme/toolkit.ts'],
    outdir: join(root, 'dist'),
    outbase: 'src',
    entryNames: '[dir]/[name]-[hash]',
    outExtension: { '.js': '.cjs' },
    format: 'iife',
    globalName: 'exported',
    // Its completion value is what it exports; it leaves no name to the scripts after it.
    banner: { js: '(()=>{' },
    footer: { js: 'return exported})()' },
    charset: 'ascii',
    metafile: true,
  })
  return basename(Object.keys(metafile.outputs)[0])
}

/** The entry points share chunks. */
async function buildModules(folder, entryPoints, define = {}) {
  await build({
    ...options,
    absWorkingDir: join(root, folder),
    entryPoints,
    outdir: join(root, folder, 'dist'),
    outbase: 'src',
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    format: 'esm',
    plugins: [otherPackagesOutside],
    define,
    sourcemap: 'linked',
    sourcesContent: false,
  })
}

removeScripts(join(root, 'dist'))
const define = { EVALUATOR: JSON.stringify(await buildEvaluator()) }
await buildModules('.', [...commands, 'src/plugin-api/index.ts', 'src/plugin-host/complete-environment.ts', 'src/container/scheme-toolkit.ts'], define)
await buildModules('.', ['src/plugin-api/testing/index.ts'])
for (const plugin of pluginFolders(root)) {
  removeScripts(join(root, plugin, 'dist'))
  await buildModules(plugin, ['src/contribute.ts'])
}

const { evaluatorBytecode } = await import('../dist/container/scheme-toolkit.js')
const { path, make } = evaluatorBytecode()
writeFileSync(path, await make())
