import { completePath, daemonSocketChoice } from './remote-guix.js'

/** What a script ends with where there is no guix; nothing else says so. */
export const noGuix = 'guix-offload: no guix command'

/** `guix`, in English and with nothing added from the account's settings, so that what it says can be understood. UTF-8 is for build logs. */
const prologue = `${completePath}${daemonSocketChoice}
shift
GUIX_DAEMON_SOCKET=$socket LC_ALL=C.UTF-8
export GUIX_DAEMON_SOCKET LC_ALL
unset GUIX_BUILD_OPTIONS LANGUAGE
command -v guix > /dev/null 2>&1 || { echo '${noGuix}' >&2; exit 127; }
`

/** `guix "$@"` with the standard streams of the channel: it notices by itself when they are gone. */
export const feedingScript = `${prologue}
exec guix "$@"
`

/**
 * `guix "$@"` as long as there is somebody at the other end. A server ends what still runs when a connection goes only by closing its streams, and a build that neither reads
 * nor writes would not notice for hours. So a loop waits for the end of the input, which is never used otherwise, and ends guix then, on which the daemon
 * ends the build. The loop is made of the shell's own words: another process would outlive it and keep the channel open.
 */
export const watchedScript = `${prologue}
exec 3<&0
guix "$@" < /dev/null 3<&- &
job=$!
( while read -r line; do :; done <&3; kill "$job" ) > /dev/null 2>&1 &
watcher=$!
exec 3<&- < /dev/null
wait "$job"
status=$?
kill "$watcher" 2> /dev/null
exit "$status"
`
