import { expect, test } from 'vitest'
import { failure, run } from './run.js'

const quickly = async <T>(work: Promise<T>): Promise<T> => {
  const start = process.cpuUsage()
  const result = await work
  const { user } = process.cpuUsage(start)
  expect(user / 1000).toBeLessThan(4000)
  return result
}

test('an endless loop ends with an error', async () => {
  const found = await quickly(failure('(define x 1)\n(let loop ()\n  (loop))'))
  expect(found).toMatchObject({ kind: 'limit', problem: 'still not done after 3000000 steps', at: '3:2' })
})

test('an endless recursion ends with an error', async () => {
  const found = await quickly(failure('(define (f n)\n  (+ 1 (f n)))\n(f 1)'))
  expect(found).toMatchObject({ kind: 'limit', problem: 'calls nested more than 400000 deep', at: '2:7' })
})

test('an endless loop that catches everything ends as well', async () => {
  expect(await quickly(failure('(let loop () (false-if-exception (error "again")) (loop))'))).toMatchObject({ kind: 'limit' })
})

test('endless library procedures and macros end', async () => {
  expect(await quickly(failure('(define l (list 1)) (for-each (lambda (x) (let again () (again))) l)'))).toMatchObject({ kind: 'limit' })
  expect(await quickly(failure('(define-syntax-rule (m x) (m x)) (m 1)'))).toMatchObject({ kind: 'limit' })
  expect(await quickly(failure('(define-syntax-rule (m x) (list (m x))) (m 1)'))).toMatchObject({ kind: 'limit' })
  expect(await quickly(failure('(use-modules (srfi srfi-1)) (unfold (const #f) identity identity 1)'))).toMatchObject({ kind: 'limit' })
})

test('recursion a million deep is an error, not a crash', async () => {
  expect(await quickly(failure('(let loop ((i 0)) (if (< i 1000000) (+ 1 (loop (+ i 1))) 0))'))).toMatchObject({ kind: 'limit' })
})

test('recursion that is deep but finite works, also through library procedures', async () => {
  expect(await run('(let loop ((i 0)) (if (< i 300000) (+ 1 (loop (+ i 1))) 0))')).toBe('300000')
  expect(await run('(define (f n) (if (= n 0) 0 (apply + 1 (map f (list (- n 1)))))) (f 20000)')).toBe('20000')
  expect(await run('(define (app a b) (if (null? a) b (cons (car a) (app (cdr a) b)))) (length (app (iota 10000) (iota 10)))')).toBe('10010')
})

test('long lists do not blow the stack', async () => {
  expect(await run('(use-modules (srfi srfi-1)) (define l (iota 100000)) (list (length (map 1+ l)) (fold + 0 l) (equal? l (list-copy l)) (length (reverse (append l l))))')).toBe('(100000 4999950000 #t 200000)')
  expect(await run('(define l (let loop ((i 0)) (if (< i 100000) (cons i (loop (+ i 1))) (list)))) (length `(0 ,@l))')).toBe('100001')
})

test('tail calls need no space', async () => {
  expect(await run('(let loop ((i 0)) (cond ((= i 400000) i) (else (and #t (or #f (when #t (loop (+ i 1))))))))')).toBe('400000')
  expect(await run('(define (even2? n) (if (= n 0) #t (odd2? (- n 1)))) (define (odd2? n) (if (= n 0) #f (even2? (- n 1)))) (even2? 400000)')).toBe('#t')
})

test('huge values are refused', async () => {
  expect(await quickly(failure('(expt 10 100000000)'))).toMatchObject({ kind: 'raised' })
  expect(await quickly(failure('(make-string 1000000000 #\\a)'))).toMatchObject({ kind: 'raised' })
  expect(await quickly(failure('(let loop ((s "abc")) (loop (string-append s s)))'))).toMatchObject({ kind: 'raised' })
  expect(await quickly(failure('(let loop ((n 3)) (loop (* n n)))'))).toMatchObject({ kind: 'raised' })
  expect(await quickly(failure('(let loop ((l (list 1))) (loop (append l l)))'))).toMatchObject({ kind: 'limit' })
})

test('text nested too deeply is an error', async () => {
  expect(await failure('('.repeat(100_000))).toMatchObject({ kind: 'limit' })
  expect(await failure('\''.repeat(100_000))).toMatchObject({ kind: 'limit' })
})

test('circular data ends', async () => {
  expect(await failure('(define l (list 1 2)) (set-cdr! (cdr l) l) (length l)')).toMatchObject({ kind: 'raised' })
  expect(await run('(define l (list 1 2)) (set-cdr! (cdr l) l) (list? l)')).toBe('#f')
})

test('limits can be set', async () => {
  expect(await failure('(let loop ((i 0)) (loop (+ i 1)))', { limits: { steps: 100 } })).toMatchObject({ problem: 'still not done after 100 steps' })
})
