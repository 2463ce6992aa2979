/** What outputs can be made of arrives as it was built, and is registered as a local build registers it: compared with a machine that builds by itself. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { contentsComplaints, expectNothingLeft, factsOf, listingOf } from '../support/store-facts.js'
import { directory, encodeTree, file, link } from '../support/tree.js'
import { buildDerivation, type DerivationSpec, outputOf } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'

let farm: Farm
let builder: Machine
/** Knows nothing of the others. */
let alone: Machine

beforeAll(async () => {
  farm = await startFarm({ name: 'outputs', builders: [{ name: 'builder', fields: { parallelBuilds: 5 } }] })
  builder = farm.builder('builder')
  alone = await farm.bed.machine({ name: 'alone', daemon: 'root' })
})

afterAll(() => farm.bed.down())

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Octal escapes for `printf`. */
const notUtf8 = String.raw`\377\200 latin\351`
const weirdNames = String.raw`
mkdir $out
cd $out
for name in 'with spaces' ' ' '-n' 'cr\rlf\nname' 'caf\303\251' '\360\237\220\203' '${notUtf8}' '\001control' 'quote\042s' '*' '~' 'x=1'; do
  printf "$name" > ./"$(printf "$name")"
done
mkdir "$(printf 'folder ${notUtf8}')"
echo inside > "$(printf 'folder ${notUtf8}')/$(printf '${notUtf8}')"
ln -s "$(printf 'to ${notUtf8}')" "$(printf 'link ${notUtf8}')"
long=$(printf '%0255d' 0)
echo long > $long
`

const specs: Readonly<Record<string, DerivationSpec>> = {
  'a file without references': { name: 'plain', script: 'echo hello > $out' },
  'an empty file': { name: 'empty-file', script: ': > $out' },
  'an empty folder': { name: 'empty-folder', script: 'mkdir $out' },
  'an executable': { name: 'executable', script: String.raw`printf '#!/bin/sh\n' > $out; chmod 755 $out` },
  'a symbolic link to itself': { name: 'link', script: 'ln -s $out $out' },
  'a symbolic link to nowhere': { name: 'dangling', script: 'ln -s nowhere $out' },
  'all types of files': {
    name: 'types',
    script: `mkdir -p $out/a/b/c $out/empty/folders; cd $out
: > empty-file; echo text > a/text; echo x > a/executable; chmod 4711 a/executable; echo group > a/group; chmod 654 a/group; echo closed > a/closed; chmod 0 a/closed
ln -s a relative; ln -s /absolute/target absolute; ln -s $out/a/text self; ln -s ../../.. a/b/up; ln -s . dot
head -c 10000 /dev/zero > one; cp one two; ln one three; head -c 7 /dev/zero > seven; head -c 8 /dev/zero > eight; head -c 131072 /dev/zero > block; head -c 131073 /dev/zero > more`,
  },
  'references to an input and to itself': {
    name: 'self',
    inputs: { INPUT: { name: 'input', script: 'echo input > $out' } },
    script: 'mkdir $out; echo $INPUT > $out/input; echo "in the middle of $out a line" > $out/self',
  },
  'a reference only in the target of a link': { name: 'by-link', inputs: { INPUT: { name: 'input', script: 'echo input > $out' } }, script: 'mkdir $out; ln -s $INPUT/x $out/link' },
  'an input that it does not refer to': { name: 'forgetful', inputs: { INPUT: { name: 'input', script: 'echo input > $out' } }, script: 'cp $INPUT $out' },
  'several outputs that refer to each other': {
    name: 'several',
    outputs: ['out', 'lib', 'doc', 'debug'],
    script: 'mkdir $out $lib $doc; echo $lib > $out/lib; echo $out > $out/out; echo $doc $lib > $lib/doc; echo lonely > $debug; ln -s $debug $doc/debug',
  },
  'outputs of several derivations': {
    name: 'collector',
    inputs: {
      ONE: outputOf({ name: 'parts', outputs: ['left', 'right'], script: 'echo $right > $left; echo right > $right' }, 'left'),
      TWO: { name: 'two', script: 'echo two > $out' },
    },
    script: 'mkdir $out; cat $ONE > $out/right; echo $TWO > $out/two',
  },
  'names of all kinds of bytes': { name: 'names', script: weirdNames },
  'an input with such names': { name: 'copy', inputs: { INPUT: { name: 'names', localBuild: true, script: weirdNames } }, script: 'cp -a $INPUT $out; chmod -R u+w $out; echo $INPUT > $out/input' },
  'a thousand nested folders': { name: 'deep', script: 'mkdir $out; cd $out; i=0; while [ $i -lt 1000 ]; do mkdir d; cd d; i=$((i + 1)); done; echo bottom > file' },
  'a fixed file': { name: 'fixed', script: 'printf fixed > $out', fixedOutput: { hash: sha256('fixed') } },
  'a fixed tree': {
    name: 'fixed-tree',
    script: String.raw`mkdir $out; printf x > $out/x; chmod +x $out/x; ln -s x $out/y; printf z > "$out/$(printf '\377')"`,
    fixedOutput: { recursive: true, hash: sha256(encodeTree(directory(['x', file('x', true)], ['y', link('x')], [Buffer.from([0xff]), file('z')]))) },
  },
}

describe.concurrent('an output', () => {
  it.each(Object.entries(specs))('%s', async (_what, unfinished) => {
    // The same derivation on all machines.
    const spec = withUniqueness(unfinished)
    const [offloaded, built] = await Promise.all([buildDerivation(farm.master, spec), buildDerivation(alone, spec, { offload: false })])
    expect(offloaded.failure, offloaded.log).toBeUndefined()
    expect(built.failure, built.log).toBeUndefined()
    expect(offloaded.log).toContain(`@ build-remote ${offloaded.drv} builder`)
    expect(offloaded.drv).toBe(built.drv)
    const outputs = Object.values(offloaded.outputs)
    const facts = await factsOf(alone, outputs)
    expect(await factsOf(farm.master, outputs)).toEqual(facts)
    expect(await factsOf(builder, outputs)).toEqual(facts)
    for (const output of outputs) expect(await listingOf(farm.master, output)).toEqual(await listingOf(alone, output))
  })
})

function withUniqueness(spec: DerivationSpec): DerivationSpec {
  const inputs = Object.entries(spec.inputs ?? {}).map(([name, input]) =>
    [name, 'derivation' in input ? outputOf(withUniqueness(input.derivation), input.output) : withUniqueness(input)] as const)
  return { ...spec, uniqueness: 'the same everywhere', inputs: Object.fromEntries(inputs) }
}

describe('after all of them', () => {
  it('comparisons have seen references and every kind of name', async () => {
    const outcome = await buildDerivation(farm.master, withUniqueness(specs['several outputs that refer to each other'] ?? { name: '', script: '' }))
    const { out = '', lib = '', doc = '', debug = '' } = outcome.outputs
    const references = (await factsOf(farm.master, [out, lib, doc, debug])).map((facts) => facts.references)
    expect(references).toEqual([[lib, out].sort(), [doc, lib].sort(), [debug], []])
    const { outputs } = await buildDerivation(farm.master, withUniqueness(specs['names of all kinds of bytes'] ?? { name: '', script: '' }))
    const listing = await listingOf(farm.master, outputs.out ?? '')
    expect(listing).toHaveLength(17)
    expect(listing).toContainEqual('link \xff\x80 latin\xe9\tl\t777\t1.0000000000\tto \xff\x80 latin\xe9\t')
    expect(listing).toContainEqual('folder \xff\x80 latin\xe9/\xff\x80 latin\xe9\tf\t444\t1.0000000000\t\t7')
  })

  it('the input with such names is the same on the build machine', async () => {
    const { outputs } = await buildDerivation(farm.master, withUniqueness(specs['an input with such names'] ?? { name: '', script: '' }))
    const references = (await factsOf(farm.master, [outputs.out ?? '']))[0]?.references ?? []
    const input = references.find((path) => path.endsWith('-names')) ?? ''
    expect(await factsOf(builder, [input])).toEqual(await factsOf(farm.master, [input]))
    expect(await listingOf(builder, input)).toEqual(await listingOf(farm.master, input))
    expect(await listingOf(builder, input)).toHaveLength(17)
  })

  it('identical files share one inode, as after a local build', async () => {
    const { outputs } = await buildDerivation(farm.master, withUniqueness(specs['all types of files'] ?? { name: '', script: '' }))
    expect(await farm.master.sh(`cd ${outputs.out}; stat -c %i one two three | sort -u | wc -l`)).toBe('1')
  })

  it('the store is sound and nothing is left behind', async () => {
    expect(await contentsComplaints(farm.master)).toEqual([])
    await expectNothingLeft(farm.master)
    expect((await farm.history()).filter(({ outcome }) => outcome !== 'built')).toEqual([])
  })

  it('an output of another hash than fixed is refused, as by a local build', async () => {
    const spec = { name: 'liar', script: 'printf other > $out', fixedOutput: { hash: sha256('announced') } }
    const offloaded = await buildDerivation(farm.master, spec)
    const built = await buildDerivation(alone, spec, { offload: false })
    const { out = '' } = offloaded.outputs
    expect(offloaded.built).toBe(false)
    expect(offloaded.failure?.status).toBe(built.failure?.status)
    for (const { log } of [offloaded, built]) expect(log).toContain(`hash mismatch for store item '${out}'`)
    expect(await farm.master.sh(`ls ${out} 2>&1 || true`)).toContain('No such file')
    expect((await farm.history()).at(-1)).toMatchObject({ derivation: offloaded.drv, outcome: 'build-failed', status: 100 })
  })

  it('a store that is not sound would be noticed', async () => {
    const { outputs } = await buildDerivation(farm.master, { name: 'spoilt', script: 'echo good > $out' })
    await farm.master.sh(`chmod u+w ${outputs.out}; echo evil > ${outputs.out}`)
    expect((await contentsComplaints(farm.master)).join('\n')).toContain(outputs.out)
  })
})
