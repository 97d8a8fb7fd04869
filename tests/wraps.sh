#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds with subprojects/*.wrap alone, without a network, and tries what came of it.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: tests/wraps.sh [--help] DIRECTORY

Fetches the sources that the wraps name from Debian's archive, where they have the same sums as upstream's, into
DIRECTORY/sources, unless they are there; then, without a network, configures a copy of the checkout with
--wrap-mode=forcefallback, builds the library and portsyncd, and runs both. What Debian has repacked (CLI11 and spdlog)
cannot have upstream's sum: it is unpacked where meson would have unpacked upstream's.
END_OF_USAGE
}

case ${1-} in
  --help | -h) usage; exit 0 ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }

fail() {
  echo "tests/wraps.sh: $*" >&2
  exit 1
}

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$tests")
mkdir -p "$1"
out=$(cd "$1" && pwd)
source=$out/source
build=$out/build

# Debian 13 has the wraps' versions. The name of the wrap, and of Debian's source package.
declare -A packages=([cli11]=cli11 [hiredis]=hiredis [nlohmann_json]=nlohmann-json3 [sdbus-cplusplus]=sdbus-cpp
  [spdlog]=spdlog [toml11]=toml11)
/usr/bin/python3 -B "$tests/support/debian_sources.py" trixie "$out/sources" "${packages[@]}"

rm -rf "$source" "$build" "$out/root"
mkdir -p "$source/subprojects/packagecache"
tar -c --exclude='./build*' --exclude=./.git --exclude=__pycache__ --exclude=./subprojects -C "$top" . |
  tar -x -C "$source"
cp -r "$top"/subprojects/*.wrap "$top/subprojects/packagefiles" "$source/subprojects/"

# value WRAP KEY
value() {
  sed -n "s/^$2 = //p" "$1"
}

# provide WRAP: puts its source where meson looks before it downloads.
provide() {
  local wrap=$1 name package hash tarball folder
  name=$(basename "$wrap" .wrap)
  package=${packages[$name]-}
  [ -n "$package" ] || fail "which source package of Debian is $name.wrap's?"
  hash=$(value "$wrap" source_hash)
  for tarball in "$out/sources/$package"_*.orig.tar.*; do
    if [ "$(sha256sum <"$tarball")" = "$hash  -" ]; then
      cp "$tarball" "$source/subprojects/packagecache/$(value "$wrap" source_filename)"
      echo "$name: ${tarball##*/} is what the wrap names"
      return
    fi
  done
  folder=$(value "$wrap" directory)
  tarball=$(echo "$out/sources/$package"_*+ds.orig.tar.*)
  [ -e "$tarball" ] || fail "$name.wrap names another source than Debian's $package has"
  tar -x -C "$source/subprojects" -f "$tarball"
  [ -d "$source/subprojects/$folder" ] || fail "$name.wrap: ${tarball##*/} has no folder $folder"
  cp -r "$source/subprojects/packagefiles/$(value "$wrap" patch_directory)/." "$source/subprojects/$folder/"
  echo "$name: ${tarball##*/}, repacked by Debian"
}

for wrap in "$source"/subprojects/*.wrap; do
  provide "$wrap"
done

# One namespace without a network for whatever may want one.
offline=(unshare --net)
[ "$(id -u)" = 0 ] || offline=(unshare --user --map-root-user --net)
"${offline[@]}" meson setup "$build" "$source" --wrap-mode=forcefallback --prefix=/usr -Dwerror=true -Ddebug=false \
  -Doptimization=0 -Dnetlink=enabled -Dredis=enabled -Ddaemon=enabled -Ddbus=enabled -Dmetrics=disabled \
  -Dexamples=disabled -Dtests=disabled -Dbench=disabled
"${offline[@]}" meson compile -C "$build"

# The daemon: it carries what the wraps brought, and reads its configuration and command line with it.
daemon=$build/portsyncd/portsyncd
"$daemon" --version
"$daemon" --check-config "$top/portsyncd/data/portsyncd.conf"
needed=$(readelf -d "$daemon" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
! grep -E 'hiredis|sdbus|spdlog|fmt' <<<"$needed" || fail "portsyncd needs an installed library"
read=$(ninja -C "$build" -t deps)
! grep -E '/usr/include/(CLI|hiredis|nlohmann|sdbus-c|spdlog|toml)' <<<"$read" || fail "headers of the system were read"
for wrap in "$source"/subprojects/*.wrap; do
  grep -q "/subprojects/$(value "$wrap" directory)/" <<<"$read" || fail "nothing of $(basename "$wrap") was read"
done

# The library: a program outside the tree, shared and static, needs nothing of the wraps.
DESTDIR=$out/root meson install -C "$build" --no-rebuild --quiet --skip-subprojects
headers=$(find "$out/root" -name '*.h*' ! -path '*/include/portsync/*')
[ -z "$headers" ] || fail "these are installed, too: $headers"
pc=$(dirname "$(find "$out/root" -name portsync.pc)")
library=$(dirname "$pc")
export PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$out/root
link() { # NAME LIBRARIES: a program of it, and its run
  # shellcheck disable=SC2046,SC2086 # flags are words
  g++ -std=c++17 $(pkg-config --cflags portsync | sed "s#$out/root/usr/include/libnl3#/usr/include/libnl3#") \
    "$tests/api/consumer.cpp" -o "$out/consumer-$1" $2
  LD_LIBRARY_PATH=$library "${offline[@]}" "$out/consumer-$1"
}
link shared "$(pkg-config --libs portsync)"
link static "$(pkg-config --libs --static portsync | sed 's/-lportsync\b/-l:libportsync.a/')"
