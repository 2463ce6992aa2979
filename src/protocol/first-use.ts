import { DaemonError } from './daemon-error.js'

/** Each of a few folders may be made by another client meanwhile. */
const maximumAttempts = 4

/**
 * guix-daemon makes its folders and links when the first client comes, in that client's process, and looks before it makes them: of several that come at once all but one may be told that a
 * thing is there already (nix/libstore/local-store.cc, the constructor of LocalStore). For the next client it is simply there.
 */
export async function despiteFirstUse<T>(open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open()
    } catch (error) {
      if (attempt === maximumAttempts || !(error instanceof DaemonError) || !/^creating (?:symlink|directory) .*: File exists$/.test(error.text.trim())) throw error
    }
  }
}
