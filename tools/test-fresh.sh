#!/bin/sh
# Runs `make test` on a clean machine: a new Debian with the packages that the README names, and this machine's Node.js
# and npm, in its own namespaces. Tests the last commit, from a clone. Needs root, debootstrap and a Debian mirror.
# Usage: test-fresh.sh [MAKE-ARGUMENT...]. FRESH_BASE names a Debian to copy, FRESH_KEEP=yes keeps the machine.
# The script runs itself again below unshare, as `test-fresh.sh --inside DIRECTORY [MAKE-ARGUMENT...]`.
set -eu

SUITE=${FRESH_SUITE:-bookworm}
# The mirror that apt is set up for; without one, debootstrap's own.
MIRROR=${FRESH_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | head -n 1)}
# The build needs gcc and make. The others are on any installed Debian.
PACKAGES=make,gcc,libc6-dev,python3,ca-certificates

fail() {
  echo "test-fresh: $*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || fail "this needs root, to make a Debian and namespaces"
# Inside the namespaces: mounts disappear with them.
if [ "${1:-}" = --inside ]; then
  machine=$2
  shift 2
  mount --bind "$machine" "$machine"
  cd "$machine"
  mount -t proc proc proc
  mount --rbind /dev dev
  mount --rbind /sys sys
  mount --make-rslave dev
  mount --make-rslave sys
  # Not chroot: nsenter, which tests use, would leave it.
  mkdir -p .old
  pivot_root . .old
  cd /
  umount -l /.old
  rmdir /.old
  exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    sh -c 'cd /root/crank && exec make test "$@"' sh "$@"
fi

node=$(command -v node) || fail "node is missing"
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
machine=$(mktemp -d /var/tmp/crank-fresh.XXXXXX)
if [ "${FRESH_KEEP:-no}" = no ]; then trap 'rm -rf --one-file-system "$machine"' EXIT; else echo "kept: $machine"; fi
trap 'exit 130' INT TERM
# It becomes the root directory, which every user must be able to pass.
chmod 755 "$machine"

if [ -n "${FRESH_BASE:-}" ]; then
  cp -a "$FRESH_BASE/." "$machine"
else
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$machine" ${MIRROR:+"$MIRROR"} >"$machine.log" 2>&1 || {
    tail -n 5 "$machine.log" >&2
    fail "debootstrap failed; its words are in $machine.log"
  }
  rm -f "$machine.log"
fi

cp "$(readlink -f "$node")" "$machine/usr/local/bin/node"
mkdir -p "$machine/usr/local/lib/node_modules"
cp -a "$npm" "$machine/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$machine/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$machine/usr/local/bin/npx"
cp /etc/resolv.conf "$machine/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$machine/etc/hosts"
# This machine's settings for the registries, if it has any.
for file in /root/.npmrc /etc/ssl/certs/ca-certificates.crt; do
  [ ! -f "$file" ] || cp "$file" "$machine$file"
done
git clone --quiet --no-hardlinks "$(git -C "$(dirname "$0")" rev-parse --show-toplevel)" "$machine/root/crank"

unshare --mount --pid --fork --kill-child sh "$0" --inside "$machine" "$@"
