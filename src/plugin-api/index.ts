/** The public plugin API: types only, so that a plugin needs nothing of this package at run time. */
export type * from './errors.js'
export type * from './machine.js'
export type * from './registrar.js'
export type * from './scheme.js'
export type * from './source.js'
export type * from './strategy.js'
export type * from './transport.js'
