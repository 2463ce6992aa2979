import { localDaemonSocket } from '../config/environment.js'
import { MachineError } from '../errors/offload-error.js'
import { LocalDaemon } from '../local-store/local-daemon.js'
import { selectHistory, type HistoryQuestion } from '../offload/read-history.js'
import { tellProvenance } from '../offload/tell-provenance.js'
import { HistoryFile } from '../state/history.js'
import { ProvenanceFiles } from '../state/provenance.js'
import { RefusalFile } from '../state/refusals.js'
import { tokens, type Root } from './tokens.js'

/** What is read of the records that the hook keeps. */
export async function makeReadHistory(root: Root) {
  const { stateDirectory } = await root.resolve(tokens.environment)
  return (question: HistoryQuestion) => selectHistory(new HistoryFile(stateDirectory).read(), new RefusalFile(stateDirectory).read(), question)
}

export async function makeTellProvenance(root: Root) {
  const environment = await root.resolve(tokens.environment)
  const { storeDirectory, stateDirectory } = environment
  const files = new ProvenanceFiles(stateDirectory, storeDirectory)
  return (path: string, signal: AbortSignal) => tellProvenance(path, { storeDirectory, recall: (item) => files.recall(item), pathInfo }, signal)

  async function pathInfo(path: string, signal: AbortSignal) {
    const daemon = await LocalDaemon.open(localDaemonSocket(environment), signal)
    try {
      return await daemon.pathInfo(path)
    } catch (error) {
      if (error instanceof MachineError && error.code === 'item-not-valid') return undefined
      throw error
    } finally {
      daemon.close()
    }
  }
}
