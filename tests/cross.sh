#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian packages for arm64 on another architecture.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: tests/cross.sh [--help] DIRECTORY

Leaves the .deb files for arm64 in DIRECTORY. They are built in DIRECTORY/root, a root of this machine's Debian with the
cross compiler and what debian/control asks for; it is made at the first run, and again when that file has changed.
Nothing of what is built is run.
END_OF_USAGE
}

case ${1-} in
  --help | -h) usage; exit 0 ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "tests/cross.sh: only root can make a root and enter it" >&2; exit 1; }

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
root=$out/root
profiles=cross,nocheck,nodoc

make_root() {
  local suite archive
  # shellcheck source=/dev/null
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  archive=$(PYTHONPATH=$top/tests /usr/bin/python3 -Bc 'from support import debian_root; print(debian_root.archive())')
  rm -rf --one-file-system "$root"
  # shellcheck disable=SC2016 # for mmdebstrap's shell
  mmdebstrap --quiet --variant=apt --architectures="$(dpkg --print-architecture),arm64" \
    --include=crossbuild-essential-arm64 --customize-hook='mkdir "$1/asked"' \
    --customize-hook="copy-in $top/debian /asked" \
    --customize-hook='chroot "$1" apt-get build-dep --yes --no-install-recommends --host-architecture arm64 \
      --build-profiles '$profiles' /asked' \
    "$suite" "$root" "deb $archive $suite main"
}

cmp -s "$top/debian/control" "$root/asked/debian/control" || make_root

rm -rf --one-file-system "$root/build" "$out"/*.deb
mkdir -p "$root/build/source"
tar -c --exclude=./build* --exclude=./.git --exclude=__pycache__ -C "$top" . | tar -x -C "$root/build/source"
# The mounts end with the namespace, and so do the processes.
# shellcheck disable=SC2016 # for the inner shell
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEB_BUILD_PROFILES="${2//,/ }" \
    DEB_BUILD_OPTIONS="nocheck noautodbgsym" chroot "$1" \
    sh -c "cd /build/source && exec dpkg-buildpackage --host-arch arm64 --build=any --no-sign"' bash "$root" "$profiles"
mv "$root"/build/*.deb "$out/"
for package in "$out"/*.deb; do
  [ "$(dpkg-deb --field "$package" Architecture)" = arm64 ] || { echo "$package is not for arm64" >&2; exit 1; }
done
ls -l "$out"/*.deb
