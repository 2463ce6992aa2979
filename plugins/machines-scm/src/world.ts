/** The world that machine files see: the real one, read only. */
import { access, readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import type { PluginHost, SchemeWorld, SourceContext } from 'guix-offload/plugin-api'

function account(home: string): SchemeWorld['account'] {
  const uid = process.getuid?.() ?? 0
  const gid = process.getgid?.() ?? 0
  try {
    return { name: userInfo().username, uid, gid, home }
  } catch {
    // No passwd entry: only the number is known.
    return { name: String(uid), uid, gid, home }
  }
}

/** Programs come from trusted files only; data from anywhere. HOME is that of the passwd entry, as stock sets it. */
export function worldFor(context: SourceContext, host: PluginHost): SchemeWorld {
  return {
    environment: { ...context.environment, HOME: context.homeDirectory },
    hostName: hostname(),
    account: account(context.homeDirectory),
    readFile: (path, use) => (use === 'program' ? host.readTrustedFile(path) : readFile(path, { encoding: 'utf8', signal: context.signal })),
    fileExists: (path) => access(path).then(() => true, () => false),
    print: (line) => {
      host.log.info(line)
    },
  }
}
