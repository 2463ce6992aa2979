/** First line of scripts: a server may hand a non-interactive session a PATH with next to nothing, and Guix is not in everybody's. What the account itself finds comes first. */
export const completePath =
  'PATH=${PATH:-/usr/bin:/bin}:/run/current-system/profile/bin:/var/guix/profiles/per-user/root/current-guix/bin:$HOME/.config/guix/current/bin:/usr/local/bin:/usr/bin:/bin\n'
  + 'export PATH\n'

/**
 * Which socket guix-daemon listens on there, as `$socket`: `$1`, unless the account's own environment names another. That one wins, as it does for any
 * `guix` command the account runs.
 */
export const daemonSocketChoice = 'socket=${GUIX_DAEMON_SOCKET:-$1}\n'
