import { expect, test } from 'vitest'
import type { SchemeModule } from '../../../src/plugin-api/index.js'
import { schemeToolkit } from '../../../src/scheme/toolkit.js'
import { failure, run, worldOf } from './run.js'

const shapes: SchemeModule = {
  name: '(my shapes)',
  records: [{ name: 'box', predicate: 'box?', fields: [{ name: 'width', accessor: 'box-width' }, { name: 'height', accessor: 'box-height', default: 1n }, { name: 'tags', default: [] }] }],
  values: { 'default-tags': ['a', 'b'], ratio: { kind: 'ratio', text: '1/2', number: 0.5 } },
  procedures: { shout: (text) => `${text as string}!`, slowly: async (value) => value },
}
const value = async (text: string, imports = ['(my shapes)']): Promise<unknown> => {
  const outcome = await schemeToolkit.evaluate({ text, file: 'f', modules: [shapes], imports }, worldOf())
  return outcome.failure ?? outcome.value
}

test('values come out as plain data', async () => {
  expect(await value('(list 1 1.5 "s" #t \'sym \'() (list 2) 1/2 (cons 1 2) car)')).toEqual([
    1n, 1.5, 's', true, { kind: 'symbol', text: 'sym' }, [], [2n], { kind: 'ratio', text: '1/2', number: 0.5 }, { kind: 'other', text: '(1 . 2)' }, { kind: 'other', text: '#<procedure car>' },
  ])
})

test('records know where they and their fields were written', async () => {
  expect(await value('(define a (box (width 2)))\n(box (inherit a)\n     (tags default-tags))')).toEqual({
    kind: 'record', type: 'box', fields: { width: 2n, height: 1n, tags: ['a', 'b'] }, location: { file: 'f', line: 2, column: 0 },
    given: { width: { file: 'f', line: 1, column: 15 }, tags: { file: 'f', line: 3, column: 5 } },
  })
})

test('a module of the caller can be imported like any other', async () => {
  expect(await value('(use-modules ((my shapes) #:prefix s:)) (s:box-width (s:box (s:width 3)))', [])).toMatchObject({ kind: 'syntax' })
  expect(await value('(use-modules ((my shapes) #:select ((box . b) box-width shout slowly))) (list (box-width (b (width 3))) (shout "hey") (+ 1 (slowly 2)))', [])).toEqual([3n, 'hey!', 3n])
  expect(await value('((@ (my shapes) box?) 5)', [])).toBe(false)
})

test('errors have a place and a kind', async () => {
  expect(await failure('(define x 1)\n(list\n  (car x))')).toMatchObject({ kind: 'raised', problem: 'In procedure car: Wrong type argument in position 1 (expecting pair): 1', at: '3:2' })
  expect(await failure('(error "no luck:" 1 "two")')).toMatchObject({ kind: 'raised', problem: 'no luck: 1 "two"', at: '1:0' })
  expect(await failure('(list nope)')).toMatchObject({ kind: 'unknown', unknown: 'nope', problem: 'Unbound variable: nope', at: '1:6' })
  expect(await failure('(use-modules (srfi srfi-1)\n  (no such))')).toMatchObject({ kind: 'unknown', unknown: 'the module (no such)', at: '2:2' })
  expect(await failure('(let ((a 1) (a 2)) a)')).toMatchObject({ kind: 'syntax', problem: 'duplicate bound variable', at: '1:0' })
  expect(await failure('(throw \'my-key 1)')).toMatchObject({ problem: 'Throw to key \'my-key\' with args (1)' })
  expect(await failure('(+ 1 "x")')).toMatchObject({ problem: 'In procedure +: Wrong type argument in position 2 (expecting number): "x"' })
  expect(await failure('((lambda (x)\n x))')).toMatchObject({ problem: 'Wrong number of arguments to #<procedure anonymous (_)>', at: '1:0' })
})

test('what is not known here is never caught by the program', async () => {
  expect(await failure('(false-if-exception (herd-status))')).toMatchObject({ kind: 'unknown', unknown: 'herd-status' })
  expect(await failure('(catch #t (lambda () (@ (gnu services herd) x)) (lambda _ 1))')).toMatchObject({ kind: 'unknown', unknown: 'the module (gnu services herd)' })
  expect(await failure('(eq? "a" "a")')).toMatchObject({ kind: 'unknown' })
})

test('a name that a program never comes to need not be known', async () => {
  expect(await run('(if #f (herd-status) 5)')).toBe('5')
})

test('files: read, missing, loaded next to the file', async () => {
  const files = { '/k/key.pub': 'ssh-ed25519 X\nmore', '/k/more.scm': '(define y 2)\n(* x y)', 'bad.scm': '\n(car 1)' }
  expect(await run('(use-modules (ice-9 rdelim)) (call-with-input-file "/k/key.pub" read-line)', { files })).toBe('"ssh-ed25519 X"')
  expect(await run('(define x 21) (load "/k/more.scm")', { files })).toBe('42')
  expect(await run('(define x 21) (primitive-load "/k/more.scm") y', { files })).toBe('2')
  expect(await run('(catch \'system-error (lambda () (open-input-file "/nope")) (lambda args (system-error-errno args)))')).toBe('2')
  expect(await run('(list (file-exists? "/nope") (file-exists? "/k/key.pub"))', { files })).toBe('(#f #t)')
  expect(await failure('(load "/nope")')).toMatchObject({ kind: 'raised', problem: 'In procedure open-file: No such file or directory: "/nope"', at: '1:0' })
  expect((await failure('(load "bad.scm")', { files })).location).toEqual({ file: 'bad.scm', line: 2, column: 0 })
})

test('an error of the world that is no system error goes through as it is', async () => {
  const world = { ...worldOf(), readFile: () => Promise.reject(new Error('not to be trusted')) }
  await expect(schemeToolkit.evaluate({ text: '(false-if-exception (load "x"))', file: 'f' }, world)).rejects.toThrow('not to be trusted')
})

test('what a program prints comes line by line', async () => {
  const printed: string[] = []
  await run('(display "a") (newline) (format #t "b~%c") (write "d" (current-error-port))', { printed })
  expect(printed).toEqual(['a', 'b', 'c"d"'])
})
