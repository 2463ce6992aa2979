import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { ensureHostTools } from '../testbed/host-tools.js'
import type { GuixVersion } from '../testbed/root-recipe.js'
import { rootFileSystem } from '../testbed/roots.js'

/** The test bed's unpacked root with that Guix, built if it is not there yet. */
export async function guixRoot(version: GuixVersion): Promise<string> {
  await ensureHostTools()
  return rootFileSystem(version)
}

const SCRIPT = `
set -eu
mount -t tmpfs tmpfs "$OVERLAY"
mkdir "$OVERLAY/upper" "$OVERLAY/work" "$OVERLAY/root"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$OVERLAY/upper,workdir=$OVERLAY/work" "$OVERLAY/root"
mount -t proc proc "$OVERLAY/root/proc"
mount --rbind /dev "$OVERLAY/root/dev"
mkdir -p "$OVERLAY/root$SHARED"
mount --bind "$SHARED" "$OVERLAY/root$SHARED"
cp /etc/hostname "$OVERLAY/root/etc/hostname"
exec chroot "$OVERLAY/root" env -i HOME=/root PATH=/usr/bin:/bin LC_ALL=C.UTF-8 GUILE_AUTO_COMPILE=0 "$@"
`

/** Runs a command in a throw-away overlay of that root, without network, with one folder of the host visible under its own path. */
export async function inGuix(root: string, shared: string, command: readonly string[]): Promise<string> {
  const overlay = await mkdtemp(join(tmpdir(), 'guix-overlay-'))
  try {
    const { stdout } = await execa('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--net', 'sh', '-c', SCRIPT, 'sh', ...command], {
      env: { OVERLAY: overlay, LOWER: root, SHARED: shared }, timeout: 300_000, maxBuffer: 64 * 1024 * 1024, stderr: 'ignore', stdin: 'ignore',
    })
    return stdout
  } finally {
    await rm(overlay, { recursive: true, force: true })
  }
}
