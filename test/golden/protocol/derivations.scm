;; Makes the derivations of the recorded conversations. Run inside the machine whose daemon is recorded, with a folder of busybox and links named
;; after its applets at /tools:  guix repl derivations.scm > facts.json
(use-modules (guix store) (guix derivations) (rnrs bytevectors))

(define store (open-connection))
(define tools (add-to-store store "tools" #t "sha256" "/tools"))

(define (show name script . rest)
  (let ((drv (apply derivation store name (string-append tools "/sh") (list "-c" script)
                    #:sources (list tools)
                    #:system "x86_64-linux"
                    #:env-vars `(("PATH" . ,tools) ("when" . ,(number->string (current-time))))
                    rest)))
    (format #t "  ~s: {\"drv\": ~s, \"out\": ~s},~%" name (derivation-file-name drv) (derivation->output-path drv))))

(format #t "{~%")
(show "good" "echo hello; printf 'not text: \\377\\376, no newline'; echo fine > $out")
(show "failing" "echo on stdout; echo on stderr >&2; exit 3")
(show "silent" "echo before; sleep 30; echo > $out")
(show "endless" "while true; do echo tick; sleep 0.5; done")
(show "outputless" "echo nothing made")
(show "wrong-hash" "echo x > $out" #:hash (make-bytevector 32 7) #:hash-algo 'sha256)
(show "fixed-failing" "exit 1" #:hash (make-bytevector 32 8) #:hash-algo 'sha256)
(show "referring" "echo $PATH > $out" #:allowed-references '())
(format #t "  \"tools\": {\"drv\": \"\", \"out\": ~s}~%}~%" tools)
