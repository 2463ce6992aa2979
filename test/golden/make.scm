;; Builds the golden items and writes what Guix says of them; see make.sh.
(use-modules (guix store) (guix derivations) (guix base16) (srfi srfi-1) (ice-9 match))

(define output (last (command-line)))

(define (in-output name)
  (string-append output "/" name))

(define export-path
  (@@ (guix store) export-path))

(with-store store
  (set-build-options store #:use-substitutes? #f #:offload? #f)
  (let* ((tools (add-to-store store "tools" #t "sha256" "/tools"))
         (script (add-to-store store "items.sh" #f "sha256" "/golden/items.sh"))
         (text (add-text-to-store store "text" "just text\n"))
         (build (lambda (name)
                  (let ((drv (derivation store name (string-append tools "/sh") (list script)
                                         #:sources (list tools script text)
                                         #:env-vars `(("PATH" . ,tools) ("name" . ,name) ("other" . ,text)))))
                    (build-derivations store (list drv))
                    (derivation->output-path drv))))
         (items (cons text (map build '("empty-file" "executable" "link" "empty-directory" "tree")))))
    (call-with-output-file (in-output "items.json")
      (lambda (port)
        (format port "[\n~a\n]\n"
                (string-join
                 (map (lambda (item)
                        (let ((info (query-path-info store item)))
                          (format #f "  {\"path\": ~s, \"deriver\": ~s, \"references\": [~a], \"narHash\": ~s, \"narSize\": ~a}"
                                  item
                                  (or (path-info-deriver info) "")
                                  (string-join (map object->string (path-info-references info)) ", ")
                                  (bytevector->base16-string (path-info-hash info))
                                  (path-info-nar-size info))))
                      items)
                 ",\n"))))
    (call-with-output-file (in-output "paths")
      (lambda (port) (display (string-join items "\n") port)))
    ;; Guix's own reader of directories dies on names that are not UTF-8.
    (call-with-output-file (in-output "hashable")
      (lambda (port) (display (string-join (filter (lambda (item) (not (string-suffix? "-tree" item))) items) "\n") port)))
    (call-with-output-file (in-output "signed.member")
      (lambda (port) (export-path store (last items) port #:sign? #t)))
    (call-with-output-file (in-output "unsigned.member")
      (lambda (port) (export-path store (last items) port #:sign? #f)))))
