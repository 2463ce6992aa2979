import { expect, test } from 'vitest'
import { failure, run } from './run.js'

test('a macro\'s own names are its own', async () => {
  expect(await run('(define-syntax-rule (swap! a b) (let ((tmp a)) (set! a b) (set! b tmp))) (define tmp 1) (define other 2) (swap! tmp other) (list tmp other)')).toBe('(2 1)')
  expect(await run('(define-syntax-rule (my-if c a b) (cond (c a) (else b))) (let ((else #f) (cond list)) (my-if #f 1 2))')).toBe('2')
  expect(await run('(define (helper x) (* 2 x)) (define-syntax-rule (twice x) (helper x)) (let ((helper -)) (twice 4))')).toBe('8')
})

test('definitions that a macro makes', async () => {
  expect(await run('(define-syntax-rule (counter name) (begin (define n 0) (define (name) (set! n (+ n 1)) n))) (counter a) (counter b) (a) (a) (list (a) (b))')).toBe('(3 1)')
  expect(await run('(define-syntax-rule (def name value) (define name value)) (def x 5) x')).toBe('5')
  expect(await failure('(define-syntax-rule (hide) (define secret 1)) (hide) secret')).toMatchObject({ kind: 'unknown', unknown: 'secret' })
})

test('what is put into a template stays where it was written', async () => {
  expect(await failure('(define-syntax-rule (m x)\n  (list x))\n(m\n  (car 5))')).toMatchObject({ at: '4:2' })
  expect(await failure('(define-syntax-rule (m x)\n  (car x))\n  (m 5)')).toMatchObject({ at: '3:2' })
})

test('macros live in bodies, modules and prefixes', async () => {
  expect(await run('(define (f) (define-syntax-rule (five) 5) (define x (five)) x) (f)')).toBe('5')
  expect(await run('(define-module (a) #:export (m)) (define (h) 7) (define-syntax-rule (m) (h)) (define-module (b) #:use-module ((a) #:prefix a:)) (a:m)')).toBe('7')
})

test('any name can be used for something else', async () => {
  expect(await run('(define (if . args) args) (if 1 2 3)')).toBe('(1 2 3)')
  expect(await run('(let ((quote -)) \'5)')).toBe('-5')
  expect(await run('(define list vector) (list 1)')).toBe('#(1)')
})
