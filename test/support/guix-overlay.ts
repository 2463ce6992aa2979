import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'

/** The test bed's unpacked root with that Guix; undefined if the bed has not built it. */
export async function guixRoot(version: string): Promise<string | undefined> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'guix-offload', 'testbed')
  const names = await readdir(cache).catch((): string[] => [])
  const found = names.find((name) => name.startsWith(`root-${version}-`) && !/\.(?:lock|new)$/.test(name))
  return found === undefined ? undefined : join(cache, found)
}

/** Why the tests that need real Guile cannot run here; undefined if they can. */
export async function whyNoGuile(version: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'not root'
  return (await guixRoot(version)) === undefined ? `the test bed has no Guix ${version} yet` : undefined
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
