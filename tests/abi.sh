#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares the ABI of a build's libportsync.so with the recorded one of the last tagged version.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: tests/abi.sh BUILD              compare; BUILD is a build folder, by g++ and with debug information
       tests/abi.sh --update BUILD     record it, as tests/abi/portsync-VERSION.abi.xz; BUILD is made there
       tests/abi.sh --help

Ends with 0 when a program that was linked with the last tagged version runs with this library as well, or when the
soname is another one, so that no such program would try; with 77 when there is no abidiff; else with what differs.
tests/abi/allowed.abignore says what may change under one soname; CONTRIBUTING.md says how to add to an interface.
END_OF_USAGE
}

fail() {
  echo "tests/abi.sh: $*" >&2
  exit 1
}

update=
case ${1-} in
  --help | -h) usage; exit 0 ;;
  --update) update=yes; shift ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$tests")
records=$tests/abi
build=$1
for tool in abidw abidiff; do
  command -v $tool >/dev/null || { echo "$tool is not installed (abigail-tools)"; exit 77; }
done

library() {
  local found
  found=$(find "$build/libportsync" -maxdepth 1 -name 'libportsync.so.*.*.*' -type f)
  [ -f "$found" ] || fail "$build has no libportsync.so.VERSION"
  readelf -S "$found" | grep -q '\.debug_info' || fail "$found has no debug information"
  echo "$found"
}

soname() { # of a library: libportsync.so.0.1
  readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'
}

record() {
  local library version
  if [ ! -e "$build/build.ninja" ]; then
    meson setup "$build" "$top" --buildtype=debugoptimized -Dnetlink=enabled -Dredis=enabled -Ddaemon=disabled \
      -Dtests=disabled -Dexamples=disabled -Dbench=disabled
  fi
  meson compile -C "$build"
  library=$(library)
  version=${library##*.so.}
  mkdir -p "$records"
  # Neither types that public headers do not define, nor lines and folders: they change without the ABI.
  abidw --exported-interfaces-only --drop-private-types --headers-dir "$top/libportsync/include" --no-show-locs \
    --no-comp-dir-path --no-corpus-path --no-parameter-names "$library" |
    sed "s#path='[^']*/libportsync/#path='libportsync/#" | xz -9 >"$records/portsync-$version.abi.xz"
  echo "recorded: tests/abi/portsync-$version.abi.xz"
}

compare() {
  local newest library recorded status=0
  newest=$(find "$records" -name 'portsync-*.abi.xz' | sort -V | tail -n 1)
  [ -n "$newest" ] || fail "nothing is recorded in tests/abi"
  library=$(library)
  recorded=$(mktemp)
  # shellcheck disable=SC2064 # now
  trap "rm -f '$recorded'" EXIT
  xz -dc "$newest" >"$recorded"
  if ! grep -q "soname='$(soname "$library")'" "$recorded"; then
    echo "$(soname "$library") is another soname than that of ${newest##*/}: nothing to compare"
    return
  fi
  abidiff --exported-interfaces-only --no-added-syms --suppressions "$records/allowed.abignore" \
    "$recorded" "$library" || status=$?
  [ $status = 0 ] || fail "programs linked with ${newest##*/} do not run with this library (abidiff: $status)"
  echo "the ABI of ${newest##*/} is kept"
}

if [ -n "$update" ]; then record; else compare; fi
