// The plugin API as text: what is published of src/plugin-api, declaration by declaration, without comments. A change of the API is then a change of that file, which a
// reviewer sees and `npm run lint` demands; `npm run api-report` writes it.
//
// Read from the declarations that tsc writes, with the TypeScript that is here anyway: API Extractor, the usual tool, brings a TypeScript of its own and 50 MB, and wants a run and a
// configuration for each entry point.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

const reportFile = join(root, 'test/golden/plugin-api.txt')

/** As plugins import them; what one publishes is not repeated below the next. */
const entries = { 'guix-offload/plugin-api': 'src/plugin-api/index.ts', 'guix-offload/plugin-api/testing': 'src/plugin-api/testing/index.ts' }

/** What each entry point exports, sorted by name, and then what those declarations use without its being exported. Besides, the names of exports that have no comment. */
function apiReport() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const version = join(root, 'src/plugin-host/api-version.ts')
  const program = ts.createProgram([...Object.values(entries).map((entry) => join(root, entry)), version], options)
  const checker = program.getTypeChecker()
  const number = /apiVersion = '(.*)'/.exec(program.getSourceFile(version).text)[1]
  const lines = [`// The public plugin API, version ${number}. Written by \`npm run api-report\`; raise the version in src/plugin-host/api-version.ts with it.`]
  const known = new Set()
  const undocumented = []
  for (const [name, entry] of Object.entries(entries)) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, entry)))
    const exported = checker.getExportsOfModule(module).map((symbol) => resolved(checker, symbol)).filter((symbol) => !known.has(symbol)).sort(byName)
    for (const symbol of exported) {
      known.add(symbol)
      if (symbol.getDocumentationComment(checker).length === 0) undocumented.push(`${name}: ${symbol.name}`)
    }
    const others = new Set()
    const print = (symbol) => declarationOf(symbol, checker, (used) => (known.has(used) ? undefined : others.add(used)))
    lines.push(`// ${name}`, ...exported.map(print))
    const used = []
    // What these use in turn is appended while this runs.
    for (const symbol of others) used.push([symbol, print(symbol)])
    if (used.length > 0) lines.push(`// ${name}: not exported, but used by it`, ...used.sort(([a], [b]) => byName(a, b)).map(([, text]) => text))
  }
  return { text: `${lines.join('\n\n')}\n`, undocumented }
}

const byName = (a, b) => (a.name < b.name ? -1 : 1)

function resolved(checker, symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

const printer = ts.createPrinter({ removeComments: true })

/** As a declaration file would have it. @param onUse told each declaration of ours that it refers to */
function declarationOf(symbol, checker, onUse) {
  return symbol.declarations.map((declaration) => {
    const source = declaration.getSourceFile()
    const text = ts.isFunctionDeclaration(declaration)
      ? `function ${symbol.name}${checker.signatureToString(checker.getSignatureFromDeclaration(declaration), undefined, ts.TypeFormatFlags.NoTruncation)}`
      : printer.printNode(ts.EmitHint.Unspecified, declaration, source).replace(/^(export )?(declare )?/, '')
    const visit = (node) => {
      // What a function does within is its own affair.
      if (ts.isBlock(node)) return
      if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
        const used = checker.getSymbolAtLocation(ts.isTypeReferenceNode(node) ? node.typeName : node.expression)
        const target = used === undefined ? undefined : resolved(checker, used)
        const file = target?.declarations?.[0]?.getSourceFile().fileName
        if (file?.startsWith(join(root, 'src')) && !(target.flags & ts.SymbolFlags.TypeParameter)) onUse(target)
      }
      ts.forEachChild(node, visit)
    }
    visit(declaration)
    return text
  }).join('\n')
}

const { text, undocumented } = apiReport()
if (process.argv.includes('--check')) {
  const mistakes = [
    ...(text === readFileSync(reportFile, 'utf8') ? [] : ['The public plugin API is not as reported. If it is meant to change, run `npm run api-report`, raise the version, and commit both.']),
    ...undocumented.map((name) => `${name} has no comment.`),
  ]
  for (const mistake of mistakes) process.stderr.write(`${mistake}\n`)
  process.exitCode = mistakes.length === 0 ? 0 : 1
} else {
  writeFileSync(reportFile, text)
}
