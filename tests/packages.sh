#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages from a copy of the checkout, unless they are there already.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: tests/packages.sh [--of BUILD] DIRECTORY

Leaves the .deb files, and what dpkg-buildpackage writes beside them, in DIRECTORY. They are made again when a file of
the checkout has changed. --of: nothing is compiled, the programs are those of a build folder, and there are neither
debug symbols nor a reference: for tests of an installation. DEB_BUILD_OPTIONS and DEB_BUILD_PROFILES go to dpkg-buildpackage.
END_OF_USAGE
}

options=${DEB_BUILD_OPTIONS-nocheck}
how=(--build=binary)
build=
case ${1-} in
  --help | -h) usage; exit 0 ;;
  --of)
    build=$(realpath "$2")
    options="nocheck noautodbgsym"
    how=(--build=any --no-check-builddeps)
    export DPKG_DEB_COMPRESSOR_TYPE=none  # quicker
    shift 2
    ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

export CCACHE_DISABLE=1  # what was compiled at another path, or with another umask, is not the same to the last byte

exec 9>"$out.lock"
flock 9  # tests that run at once want the same ones

sources=(tar -c --sort=name --mtime=@1767225600 --owner=0 --group=0 --numeric-owner --exclude=./build* --exclude=./.git
  --exclude=__pycache__ -C "$top" .)
made_of="$options ${DEB_BUILD_PROFILES-} $("${sources[@]}" | cat - ${build:+"$build"/portsyncd/portsyncd "$build"/portsyncd/portsyncctl} | sha256sum)"
[ "$(cat "$out/made-of" 2>/dev/null)" != "$made_of" ] || exit 0

rm -rf "$out"
mkdir -p "$out/work/source" "$out/work/bin"
"${sources[@]}" | tar -x -C "$out/work/source"

if [ -n "$build" ]; then  # the steps that compile are others
  for step in clean configure build test; do
    printf '#!/bin/sh\n' >"$out/work/bin/dh_auto_$step"
  done
  cat >"$out/work/bin/dh_auto_install" <<END_OF_STEP
#!/bin/sh
set -e
DESTDIR=\$PWD/debian/tmp meson install --no-rebuild -C '$build'
[ ! -d debian/tmp/usr/local ] || { mv debian/tmp/usr/local debian/usr; rmdir debian/tmp/usr; mv debian/usr debian/tmp/usr; }
END_OF_STEP
  chmod +x "$out/work/bin/"*
fi

(cd "$out/work/source" && PATH=$out/work/bin:$PATH DEB_BUILD_OPTIONS=$options \
  dpkg-buildpackage "${how[@]}" --no-sign) >"$out/log" 2>&1 || {
  tail -n 60 "$out/log"
  exit 1
}
mv "$out"/work/*.* "$out/"
rm -rf "$out/work"
echo "$made_of" >"$out/made-of"
