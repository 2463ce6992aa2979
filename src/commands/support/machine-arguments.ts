import * as Args from '@oclif/core/args'

/** oclif would take an argument that is not given from standard input, whatever a script has there. */
const ignoreStdin = true

export const file = Args.string({ description: 'machine file to read instead of the usual one', ignoreStdin })
export const regexp = Args.string({ description: 'only the machines whose name it matches (anywhere)', ignoreStdin })
