import { createHash } from 'node:crypto'

/**
 * What the machines are made of: Debian suites that hold the two Guix versions under test, and what is done to them once, before machines
 * share them read-only. The hash of a recipe names its folder in the cache: change a recipe and the root is built anew.
 */
export const guixVersions = ['1.5.0', '1.2.0'] as const
export type GuixVersion = (typeof guixVersions)[number]

export interface Recipe {
  readonly guix: GuixVersion
  readonly suite: string
  readonly packages: readonly string[]
  readonly setUp: string
}

/** busybox under the names of its applets: the tools of every derivation the tests build. */
export const toolsFolder = '/opt/testbed/tools'
export const ordinaryUser = 'alice'
export const buildUserCount = 8

const common = [
  'guix', 'openssh-server', 'openssh-client', 'iproute2', 'busybox-static', 'procps', 'netbase', 'socat', 'faketime', 'avahi-daemon', 'avahi-utils',
]

const setUp = (guix: GuixVersion) => `set -eu
root=$1
cat > "$root/set-up" <<'END'
set -eu
guix --version | grep -F ' ${guix}' > /dev/null || { echo "this suite no longer holds Guix ${guix}: $(guix --version 2>&1 | head -n 1)" >&2; exit 1; }
groupadd --system guixbuild
for i in $(seq 1 ${buildUserCount}); do
  useradd --system --gid guixbuild --groups guixbuild --home-dir /var/empty --no-create-home --shell /usr/sbin/nologin "guixbuilder$i"
done
useradd --create-home --shell /bin/bash ${ordinaryUser}
busybox=$(command -v busybox)
mkdir -p ${toolsFolder} /var/empty /gnu/store /var/guix /var/log/guix /etc/guix
cp "$busybox" ${toolsFolder}/busybox
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "${toolsFolder}/$applet"
done
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/hosts /etc/hostname
touch /etc/resolv.conf /etc/hosts
END
chroot "$root" sh /set-up
rm "$root/set-up"
`

export const recipes: Readonly<Record<GuixVersion, Recipe>> = {
  '1.5.0': { guix: '1.5.0', suite: 'sid', packages: [...common, 'lsh-utils', 'lsh-client', 'lsh-server'], setUp: setUp('1.5.0') },
  '1.2.0': { guix: '1.2.0', suite: 'bullseye', packages: common, setUp: setUp('1.2.0') },
}

export const recipeKey = (recipe: Recipe) => createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12)
