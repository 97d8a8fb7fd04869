#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds with subprojects/*.wrap alone, without a network, and tests the result.
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

# Debian 13 has the versions of the wraps. Each entry: the name of a wrap, and of Debian's source package.
declare -A packages=([cli11]=cli11 [hiredis]=hiredis [nlohmann_json]=nlohmann-json3 [sdbus-cplusplus]=sdbus-cpp
  [spdlog]=spdlog [toml11]=toml11)
/usr/bin/python3 -B "$tests/support/debian_sources.py" trixie "$out/sources" "${packages[@]}"

rm -rf "$source" "$build" "$out/root"
mkdir -p "$source/subprojects/packagecache"
tar -c --exclude='./build*' --exclude=./.git --exclude=__pycache__ --exclude=./subprojects -C "$top" . |
  tar -x -C "$source"
cp -r "$top"/subprojects/*.wrap "$top/subprojects/packagefiles" "$source/subprojects/"

# value WRAP KEY: prints a value of the wrap file.
value() {
  sed -n "s/^$2 = //p" "$1"
}

# provide WRAP: puts its source where meson looks before it downloads.
provide() {
  local wrap=$1 name package hash tarball folder
  name=$(basename "$wrap" .wrap)
  package=${packages[$name]-}
  [ -n "$package" ] || fail "no source package of Debian is known for $name.wrap"
  hash=$(value "$wrap" source_hash)
  for tarball in "$out/sources/$package"_*.orig.tar.*; do
    if [ "$(sha256sum <"$tarball")" = "$hash  -" ]; then
      cp "$tarball" "$source/subprojects/packagecache/$(value "$wrap" source_filename)"
      echo "$name: ${tarball##*/} has the checksum of the wrap"
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

# In a namespace without a network, so that nothing can be downloaded.
offline=(unshare --net)
[ "$(id -u)" = 0 ] || offline=(unshare --user --map-root-user --net)
"${offline[@]}" meson setup "$build" "$source" --wrap-mode=forcefallback --prefix=/usr -Dwerror=true -Ddebug=false \
  -Doptimization=0 -Dnetlink=enabled -Dredis=enabled -Ddaemon=enabled -Ddbus=enabled -Dmetrics=disabled \
  -Dexamples=disabled -Dtests=disabled -Dbench=disabled
"${offline[@]}" meson compile -C "$build"

# The daemon contains the libraries of the wraps, and parses its configuration and command line with them.
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

# The library: a program outside the source tree, shared or static, needs nothing of the wraps.
DESTDIR=$out/root meson install -C "$build" --no-rebuild --quiet --skip-subprojects
headers=$(find "$out/root" -name '*.h*' ! -path '*/include/portsync/*')
[ -z "$headers" ] || fail "these are installed, too: $headers"
pc=$(dirname "$(find "$out/root" -name portsync.pc)")
library=$(dirname "$pc")
export PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$out/root
link() { # NAME LIBRARIES: builds a program and runs it
  # shellcheck disable=SC2046,SC2086 # flags are words
  g++ -std=c++17 $(pkg-config --cflags portsync | sed "s#$out/root/usr/include/libnl3#/usr/include/libnl3#") \
    "$tests/api/consumer.cpp" -o "$out/consumer-$1" $2
  LD_LIBRARY_PATH=$library "${offline[@]}" "$out/consumer-$1"
}
link shared "$(pkg-config --libs portsync)"
link static "$(pkg-config --libs --static portsync | sed 's/-lportsync\b/-l:libportsync.a/')"
