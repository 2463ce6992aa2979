import * as Args from '@oclif/core/args'

export const file = Args.string({ description: 'machine file to read instead of the usual one' })
export const regexp = Args.string({ description: 'only the machines whose name it matches (anywhere)' })
