# The builder of the golden items; run by busybox with the item's name in $name and its output in $out.
case $name in
tree)
  mkdir $out
  cd $out
  # Contents of every length around a multiple of 8.
  mkdir lengths
  for n in 0 1 7 8 9 15 16 17; do printf "%${n}s" '' > lengths/$n; done
  # Names whose order differs between bytes, locale and case folding, and between a name and a path.
  mkdir -p order/a/z
  for n in A B Z _ a-b a.b ab 'a b' a0 ~ +; do printf '%s' "$n" > "order/$n"; done
  # Executable for the owner, an empty executable.
  printf '#!/bin/sh\n' > run; chmod 755 run
  printf '' > run-nothing; chmod 755 run-nothing
  # Empty things, depth.
  mkdir -p empty/directory deep/1/2/3/4/5/6/7/8
  printf '' > empty/file
  # Links: dangling, absolute, to a directory, upwards.
  mkdir links
  ln -s nowhere links/dangling
  ln -s /etc/passwd links/absolute
  ln -s ../deep links/directory
  ln -s ../.. links/upwards
  ln -s "$(printf 'not \377 text')" links/bytes
  # Names that are UTF-8, composed and decomposed; names that are not; names with odd but lawful bytes.
  mkdir names
  printf 'u' > "$(printf 'names/na\303\257ve')"
  printf 'd' > "$(printf 'names/nai\314\210ve')"
  printf 'l' > "$(printf 'names/na\357ve')"
  printf 'x' > "$(printf 'names/\377\376')"
  mkdir "$(printf 'names/\200')"
  printf 'i' > "$(printf 'names/\200/inside')"
  printf 'n' > "$(printf 'names/line\nbreak')"
  printf 'b' > 'names/back\slash'
  printf '3' > 'names/...'
  long=$(printf '%0255d' 0)
  printf 'long' > names/$long
  # References: to another item and to itself.
  printf '%s\n%s\n' "$other" "$out" > references
  ;;
link)
  ln -s /nowhere/at/all $out
  ;;
executable)
  printf '#!/bin/sh\nexit 0\n' > $out
  chmod 755 $out
  ;;
empty-directory)
  mkdir $out
  ;;
empty-file)
  printf '' > $out
  ;;
esac
