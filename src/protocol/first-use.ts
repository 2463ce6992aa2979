import { DaemonError } from './daemon-error.js'

/** Each of a few folders and files may be made by another client meanwhile. */
const maximumAttempts = 6
const raced = /^creating (?:symlink|directory) |^`.*\/schema' is corrupt$|: database is locked$/

/**
 * guix-daemon makes its folders, links and database when the first client comes, in that client's process, and looks before it makes them: of several that come at once all but one may be told
 * that a thing is there already, that the schema's file is corrupt (it is empty for a moment) or that the database is locked (nix/libstore/local-store.cc, the constructor of LocalStore). For
 * the next client it is simply there.
 */
export async function despiteFirstUse<T>(open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open()
    } catch (error) {
      if (attempt === maximumAttempts || !(error instanceof DaemonError) || !raced.test(error.text.trim())) throw error
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt))
    }
  }
}
