import { daemonSocketChoice, completePath } from './remote-guix.js'

/** In front of every line of the bridge's own; logins may print all sorts of things before. */
export const bridgeMark = 'guix-offload-bridge: '

/**
 * Copies between the standard streams and the daemon's socket, `$1`. Says first with what: `socat`, from then on every byte is the daemon's; `guix`, then a
 * REPL waits for {@link bridgeProgram}; or `none`. socat gets plain paths only: to it commas, colons and quotes have meanings.
 */
export const bridgeScript = `${completePath}${daemonSocketChoice}
case $socket in
  unix:///*) socket=\${socket#unix://} ;;
  file:///*) socket=\${socket#file://} ;;
esac
case $socket in
  [!/]* | *[!A-Za-z0-9_./-]*) ;;
  *)
    if command -v socat > /dev/null 2>&1; then
      echo '${bridgeMark}socat'
      exec socat -b 65536 - "UNIX-CONNECT:$socket"
    fi ;;
esac
if command -v guix > /dev/null 2>&1; then
  echo '${bridgeMark}guix'
  GUIX_OFFLOAD_SOCKET=$socket exec guix repl -t machine
fi
echo '${bridgeMark}none'
`

/**
 * For Guile 2.2 and later. One expression on one line, and not a byte after it: whatever follows is the daemon's. It says `ready` or `failed REASON` before the first
 * byte of the daemon. A conversation with the daemon goes by turns, so copying one way never has to wait for the other. When either side ends, so does
 * the program, and with it the connection.
 */
export const bridgeProgram = `
(begin
  (use-modules (ice-9 binary-ports))
  (let ((in (current-input-port)) (out (current-output-port)) (name (getenv "GUIX_OFFLOAD_SOCKET")))
    (define (say text) (display "${bridgeMark}" out) (display text out) (newline out) (force-output out))
    (define (connected)
      (if (string-prefix? "/" name)
          (let ((port (socket PF_UNIX SOCK_STREAM 0))) (connect port AF_UNIX name) port)
          ((module-ref (resolve-module (quote (guix store))) (quote connect-to-daemon)) name)))
    (define daemon
      (catch #t connected
        (lambda (key . rest)
          (say (string-append "failed "
            (if (eq? key (quote system-error)) (strerror (system-error-errno (cons key rest))) (object->string (cons key rest)))))
          (primitive-exit 1))))
    (define (copy from to)
      (let ((bytes (get-bytevector-some from)))
        (if (eof-object? bytes) (primitive-exit 0))
        (put-bytevector to bytes)
        (force-output to)))
    (setvbuf in (quote block) 65536)
    (setvbuf daemon (quote block) 65536)
    (say "ready")
    (let loop ()
      (let ((readable (car (select (list in daemon) (quote ()) (quote ())))))
        (if (memq in readable) (copy in daemon))
        (if (memq daemon readable) (copy daemon out))
        (loop)))))
`
  .trim()
  .replace(/\n\s*/g, ' ')
