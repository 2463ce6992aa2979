#!/bin/sh
# Makes the golden bundles from a real Guix: make.sh ROOT OUTPUT
#
# ROOT is an unpacked Debian root file system with guix and busybox-static (sid: Guix 1.5.0, bullseye: Guix 1.2.0); it is not written to: a
# daemon of its own runs in it under an overlay, in namespaces of its own. OUTPUT is a new folder. Needs root.
set -eu

if [ "${IN_NAMESPACES-}" != yes ]; then
  export IN_NAMESPACES=yes
  exec unshare --mount --pid --fork --kill-child --net --uts "$0" "$(realpath "$1")" "$(realpath -m "$2")"
fi

root=$1
output=$2
here=$(dirname "$(realpath "$0")")

mkdir -p "$output"
scratch=$(mktemp -d)
trap 'cd /; umount --recursive "$scratch"; rmdir "$scratch"' EXIT
mount -t tmpfs golden "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
mount -t proc proc "$scratch/root/proc"
mount --rbind /dev "$scratch/root/dev"
mkdir -p "$scratch/root/golden" "$scratch/root/tools"
cp "$here/make.scm" "$here/items.sh" "$scratch/root/golden/"
cp "$scratch/root/bin/busybox" "$scratch/root/tools/"
for applet in sh mkdir ln chmod printf seq; do ln -s busybox "$scratch/root/tools/$applet"; done

status=0
chroot "$scratch/root" /usr/bin/env -i \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8 GUILE_AUTO_COMPILE=0 sh -eu <<'INSIDE' || status=$?
  mkdir -p /var/guix /gnu/store /var/log/guix /var/guix/daemon-socket
  chown -R root:root /var/guix /gnu/store /var/log/guix /etc/guix
  groupadd --system guixbuild 2>/dev/null || true
  for n in 1 2; do useradd -g guixbuild -G guixbuild -d /var/empty -s /usr/sbin/nologin --system "guixbuilder$n" 2>/dev/null || true; done
  rm -f /etc/guix/signing-key.*
  guix archive --generate-key='(genkey (ecdsa (curve Ed25519) (flags transient-key rfc6979)))' >&2
  guix archive --authorize < /etc/guix/signing-key.pub
  guix-daemon --build-users-group=guixbuild --no-substitutes --disable-deduplication >/golden/daemon.log 2>&1 &
  daemon=$!
  for n in $(seq 50); do [ -S /var/guix/daemon-socket/socket ] && break; sleep 0.1; done
  mkdir /golden/out
  guix repl /golden/make.scm /golden/out || { cat /golden/daemon.log; exit 1; }
  guix archive --export $(cat /golden/out/paths) > /golden/out/items.bundle
  # What Guix finds in its own archives: its importer must take back what it wrote, and files hash as recorded.
  for item in $(cat /golden/out/hashable); do
    printf '%s %s\n' "$item" "$(guix hash --serializer=nar --format=hex "$item" 2>/dev/null || guix hash --recursive --format=hex "$item")"
  done > /golden/out/hashes
  cp /etc/guix/signing-key.pub /golden/out/
  guix --version | head -1 > /golden/out/version
  rm /golden/out/paths /golden/out/hashable
  kill $daemon
INSIDE
[ "$status" = 0 ] && cp "$scratch"/root/golden/out/* "$output/"
exit "$status"
