// Imported before oclif, for its effect: oclif and its libraries ask the environment and passwd(5) for home folder and shell, some of them while they are loaded, and
// give up where neither knows. guix-daemon's environment may be empty, and its user may have no entry.
import { userInfo } from 'node:os'

process.env.SHELL ||= '/bin/sh'
process.env.HOME ||= homeFolder()

function homeFolder(): string {
  try {
    return userInfo().homedir
  } catch {
    return '/var/empty'
  }
}
