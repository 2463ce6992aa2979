import { describeConfiguration } from '../config/describe-configuration.js'
import { OffloadError } from '../errors/offload-error.js'
import { showConfiguration } from '../offload/show-configuration.js'
import { tokens, type Root } from './tokens.js'

/** Machines that cannot be listed are no reason not to show the configuration: it may be the reason why they cannot. */
export async function makeShowConfiguration(root: Root) {
  const [environment, contributions] = await Promise.all([root.resolve(tokens.environment), root.resolve(tokens.contributions)])
  const installed = { transports: contributions.names('transport'), schedulers: contributions.names('schedulingStrategy'), sources: contributions.names('machineSource') }
  return async (signal: AbortSignal) => {
    const description = await describeConfiguration(environment)
    // Fails for what only using it can tell: the environment's values.
    await root.resolve(tokens.configuration)
    return showConfiguration(description, installed, description.patterns.length === 0 ? [] : await machines(root, signal))
  }
}

async function machines(root: Root, signal: AbortSignal) {
  try {
    return (await (await root.resolve(tokens.listMachines)).run({}, signal)).machines
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    root.resolve(tokens.log).warn(`the machines cannot be listed: ${error.message}`)
    return undefined
  }
}
