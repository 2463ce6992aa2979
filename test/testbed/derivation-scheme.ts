import { toolsFolder } from './root-recipe.js'

/**
 * Derivations without any package: a busybox folder added to the store is all they need. The specification is turned into Scheme for
 * `guix repl`, which prints one line of JSON.
 */
export interface DerivationSpec {
  readonly name: string
  /** POSIX shell; `$out` and the other outputs by name, `$inputs` as environment variables, busybox applets in PATH. */
  readonly script: string
  readonly system?: string
  /** requiredSystemFeatures. */
  readonly features?: readonly string[]
  /** Names of the outputs; `out` unless given. */
  readonly outputs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Environment variable → the derivation (its first output), or one output of it, whose path it holds. */
  readonly inputs?: Readonly<Record<string, DerivationSpec | OutputOf>>
  /** Environment variable → file or folder in the machine, added to its store. */
  readonly sources?: Readonly<Record<string, string>>
  /** Fixed output: the hash of what the script makes, in hexadecimal. */
  readonly fixedOutput?: { readonly algorithm?: string; readonly hash: string; readonly recursive?: boolean }
  /** Derivations that `out` may refer to; only then is the check on. */
  readonly allowedReferences?: readonly DerivationSpec[]
  /** Builds on the machine that asked, never offloaded. */
  readonly localBuild?: boolean
  /** A variable with this value makes the derivation a new one; a random value unless given, so nothing is ever built already. */
  readonly uniqueness?: string
}

export interface OutputOf {
  readonly derivation: DerivationSpec
  readonly output: string
}

export const outputOf = (derivation: DerivationSpec, output: string): OutputOf => ({ derivation, output })

export interface BuildSettings {
  /** Through the build hook; true unless given. */
  readonly offload?: boolean
  readonly keepGoing?: boolean
  readonly keepFailed?: boolean
  /** `@ build-remote …` lines in the log; true unless given. */
  readonly printBuildTrace?: boolean
  readonly cores?: number
  readonly maxSilentTime?: number
  readonly timeout?: number
  /** Builds again and compares. */
  readonly check?: boolean
}

export const currentSystem = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux`

const string = (text: string) => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`
const strings = (texts: readonly string[]) => `(list ${texts.map(string).join(' ')})`
const boolean = (value: boolean) => (value ? '#t' : '#f')
const pair = (name: string, value: string) => `(cons ${string(name)} ${value})`

const asOutput = (input: DerivationSpec | OutputOf): OutputOf =>
  ('derivation' in input ? input : { derivation: input, output: input.outputs?.[0] ?? 'out' })

/** Every derivation once, what it depends on before it. Specifications are told apart by identity. */
export const inBuildOrder = (wanted: readonly DerivationSpec[]) => {
  const order = new Set<DerivationSpec>()
  const visit = (spec: DerivationSpec) => {
    for (const input of Object.values(spec.inputs ?? {})) visit(asOutput(input).derivation)
    for (const allowed of spec.allowedReferences ?? []) visit(allowed)
    order.add(spec)
  }
  for (const spec of wanted) if (!order.has(spec)) visit(spec)
  return [...order]
}

const definition = (spec: DerivationSpec, index: number, variableOf: (spec: DerivationSpec) => string) => {
  const inputs = Object.entries(spec.inputs ?? {}).map(([name, input]) => [name, asOutput(input)] as const)
  const sources = Object.entries(spec.sources ?? {})
  const outputPath = ({ derivation, output }: OutputOf) => `(derivation->output-path ${variableOf(derivation)} ${string(output)})`
  const sourceLines = sources.map(([name, path], n) => {
    const itemName = string(name.toLowerCase())
    return `(define s${index}-${n} (add-to-store store ${itemName} #t "sha256" ${string(path)}))`
  })
  const inputList = inputs.map(([, { derivation, output }]) => `(derivation-input ${variableOf(derivation)} (list ${string(output)}))`)
  const env = [
    pair('PATH', 'tools'),
    ...(spec.features === undefined ? [] : [pair('requiredSystemFeatures', string(spec.features.join(' ')))]),
    ...(spec.localBuild === true ? [pair('preferLocalBuild', '"1"')] : []),
    ...Object.entries(spec.env ?? {}).map(([name, value]) => pair(name, string(value))),
    ...inputs.map(([name, input]) => pair(name, outputPath(input))),
    ...sources.map(([name], n) => pair(name, `s${index}-${n}`)),
    pair('uniqueness', string(spec.uniqueness ?? `${Date.now()}-${Math.random()}`)),
  ]
  const keywords = [
    `#:system ${string(spec.system ?? currentSystem)}`,
    `#:sources (list tools ${sources.map((_, n) => `s${index}-${n}`).join(' ')})`,
    `#:inputs (list ${inputList.join(' ')})`,
    `#:env-vars (list ${env.join(' ')})`,
    ...(spec.outputs === undefined ? [] : [`#:outputs ${strings(spec.outputs)}`]),
    ...(spec.fixedOutput === undefined
      ? []
      : [
          `#:hash (base16-string->bytevector ${string(spec.fixedOutput.hash)})`,
          `#:hash-algo '${spec.fixedOutput.algorithm ?? 'sha256'}`,
          `#:recursive? ${boolean(spec.fixedOutput.recursive ?? false)}`,
        ]),
    ...(spec.allowedReferences === undefined
      ? []
      : [`#:allowed-references (list ${spec.allowedReferences.map((allowed) => outputPath(asOutput(allowed))).join(' ')})`]),
  ]
  return [
    ...sourceLines,
    `(define d${index} (derivation store ${string(spec.name)} (string-append tools "/sh") (list "-ec" ${string(spec.script)})`,
    ...keywords.map((keyword) => `  ${keyword}`),
    '))',
  ].join('\n')
}

const settingsCall = (settings: BuildSettings) => {
  const keywords = [
    '#:use-substitutes? #f',
    `#:offload? ${boolean(settings.offload ?? true)}`,
    `#:keep-going? ${boolean(settings.keepGoing ?? false)}`,
    `#:keep-failed? ${boolean(settings.keepFailed ?? false)}`,
    `#:print-build-trace ${boolean(settings.printBuildTrace ?? true)}`,
    ...(settings.cores === undefined ? [] : [`#:build-cores ${settings.cores}`]),
    ...(settings.maxSilentTime === undefined ? [] : [`#:max-silent-time ${settings.maxSilentTime}`]),
    ...(settings.timeout === undefined ? [] : [`#:timeout ${settings.timeout}`]),
  ]
  return `(set-build-options store ${keywords.join(' ')})`
}

const modules = ['(guix store)', '(guix derivations)', '(guix base16)', '(json)', '(srfi srfi-1)', '(srfi srfi-34)', '(ice-9 match)']

/** A program that makes the derivations and, unless `settings` is undefined, builds the wanted ones in one go. */
export const derivationProgram = (wanted: readonly DerivationSpec[], settings: BuildSettings | undefined) => {
  const order = inBuildOrder(wanted)
  const variableOf = (spec: DerivationSpec) => `d${order.indexOf(spec)}`
  const all = `(list ${wanted.map(variableOf).join(' ')})`
  const build = settings === undefined ? '#t' : `(begin (build-derivations store ${all}${settings.check === true ? ' (build-mode check)' : ''}) #t)`
  return `(use-modules ${modules.join(' ')})
(define store (open-connection))
${settings === undefined ? '' : settingsCall(settings)}
(define tools (add-to-store store "tools" #t "sha256" ${string(toolsFolder)}))
${order.map((spec, index) => definition(spec, index, variableOf)).join('\n')}
(define failure
  (guard (c ((store-protocol-error? c)
             \`((message . ,(store-protocol-error-message c)) (status . ,(store-protocol-error-status c))))
            ((store-connection-error? c)
             '((message . "the daemon closed the connection") (status . 0))))
    ${build}
    #f))
(define (describe drv)
  \`((drv . ,(derivation-file-name drv))
    (outputs . ,(map (match-lambda ((name . path) (cons (string->symbol name) path))) (derivation->output-paths drv)))))
(define described (list->vector (map describe ${all})))
(define valid
  (with-store again
    (list->vector
      (filter (lambda (path) (valid-path? again path))
              (append-map (lambda (drv) (map cdr (derivation->output-paths drv))) ${all})))))
(display (scm->json-string \`((derivations . ,described) (failure . ,(or failure 'null)) (valid . ,valid))))
(newline)
`
}
