/**
 * Where a machine keeps its `guix`, for scripts of `/bin/sh`: a non-interactive login may have a PATH without it. What the account itself finds comes first.
 */
export const guixSearchPath =
  'PATH="$PATH:$HOME/.config/guix/current/bin:/run/current-system/profile/bin:/var/guix/profiles/per-user/root/current-guix/bin:/usr/local/bin:/usr/bin:/bin"\nexport PATH\n'

/**
 * Which socket guix-daemon listens on there, as `$socket`: `$1`, unless the account's own environment names another. That one wins, as it does for any
 * `guix` command the account runs.
 */
export const daemonSocketChoice = 'socket=${GUIX_DAEMON_SOCKET:-$1}\n'
