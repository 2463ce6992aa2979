/** Derivations to build, with synthetic but seeded durations and sizes: what a graph costs is the same in every run and for every strategy. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { between, logNormal, seeded, seededBy } from './random.js'

export interface Shape {
  readonly name: string
  /** Its output is fixed: fetched by the master itself, there from the start. */
  readonly fetched: boolean
  /** Earlier in the list. */
  readonly inputs: readonly number[]
}

export interface Node extends Shape {
  /** Work, in seconds of one processor of speed 1. */
  readonly coreSeconds: number
  /** Processors it can use. */
  readonly threads: number
  /** Size of what it makes. */
  readonly bytes: number
  /** All that must be on a machine to build it: its inputs, and what they refer to. */
  readonly required: readonly number[]
}

export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
}

const mebibyte = 2 ** 20
/** Of what a package was built with it keeps a reference to that much. */
const referredTo = 0.2

export function costed(name: string, shapes: readonly Shape[], seed: number): Graph {
  const closures: Set<number>[] = []
  const nodes = shapes.map((shape, index): Node => {
    const random = seededBy(`${shape.name} ${index}`, seed)
    const coreSeconds = shape.fetched ? 0 : Math.min(4 * 3600, logNormal(random, 60, 1.3))
    // Configuring and most test suites use one processor; compilers as many as they get.
    const threads = random() < 0.5 ? 1 : Math.ceil(logNormal(random, 4, 0.8))
    const bytes = Math.ceil(shape.fetched ? logNormal(random, mebibyte, 1.5) : logNormal(random, 4 * mebibyte, 1.6))
    const closure = new Set([index])
    const required = new Set<number>()
    for (const input of shape.inputs) {
      const referred = shapes[input]?.fetched !== true && random() < referredTo
      for (const item of closures[input] ?? []) {
        required.add(item)
        if (referred) closure.add(item)
      }
    }
    closures.push(closure)
    return { ...shape, coreSeconds, threads, bytes, required: [...required] }
  })
  return { name, nodes }
}

/** A toolchain that everything needs, libraries that many need, and programs. */
export function syntheticGraph(packages: number, seed: number): Graph {
  const random = seeded(seed)
  const shapes: Shape[] = []
  const built: number[] = []
  const toolchain = Math.max(3, Math.round(packages / 100))
  for (let number = 0; number < packages; number += 1) {
    const inputs = new Set<number>()
    shapes.push({ name: `source-${number}`, fetched: true, inputs: [] })
    inputs.add(shapes.length - 1)
    for (let tool = 0; tool < Math.min(number, toolchain); tool += 1) inputs.add(built[tool] ?? 0)
    // The square: what came early is used by many.
    const wanted = built.length === 0 ? 0 : Math.floor(between(random, 0, 12))
    for (let dependency = 0; dependency < wanted; dependency += 1) inputs.add(built[Math.floor(random() ** 2 * built.length)] ?? 0)
    shapes.push({ name: `package-${number}`, fetched: false, inputs: [...inputs].sort((a, b) => a - b) })
    built.push(shapes.length - 1)
  }
  return costed(`synthetic, ${shapes.length} derivations`, shapes, seed)
}

/** What `make-graph.ts` has written. */
export async function guixGraph(seed: number): Promise<Graph> {
  const text = gunzipSync(await readFile(fileURLToPath(new URL('guix-1.5.0-emacs.graph.gz', import.meta.url)))).toString()
  const shapes = parseGraph(text)
  return costed(`Emacs of Guix 1.5.0 from its bootstrap seeds, ${shapes.length} derivations`, shapes, seed)
}

export function parseGraph(text: string): Shape[] {
  return text.trimEnd().split('\n').map((line, index) => {
    const [kind, name = '', ...distances] = line.split(' ')
    return { name, fetched: kind === 'f', inputs: distances.map((distance) => index - Number(distance)) }
  })
}

/**
 * The most important figure of a graph: with any number of machines of that speed it takes this long, building alone.
 * @returns seconds
 */
export function criticalPath({ nodes }: Graph, speed: number, cores: number): number {
  const done: number[] = []
  for (const { inputs, coreSeconds, threads } of nodes) {
    done.push(Math.max(0, ...inputs.map((input) => done[input] ?? 0)) + coreSeconds / speed / Math.min(threads, cores))
  }
  return Math.max(...done)
}
