#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# portsyncd at work on a private network namespace and a private Redis. Nothing of the machine's own network is touched.
set -eu

usage() {
  cat <<'END'
usage: examples/quickstart.sh [--no-redis] [--build DIR] [--help]

Builds portsyncd, starts it in a network namespace of its own with 8 ports (veth) and a Redis of its own, changes the
links (admin state, carrier, MTU, name, delete, create) and shows the row that followed each change and how long it took.
After each step every row is compared with the kernel. Ends with 0 when all were equal, with 1 when not.

  --no-redis   rows as JSON lines instead of Redis (portsyncd --json-lines)
  --build DIR  run the portsyncd of this build folder; install and build nothing

As root, missing packages are installed by apt-get. Anybody else needs them to be there; it then runs in a user
namespace (unshare -Ur). The build goes to build-quickstart/ and is kept: a second run takes seconds.
END
}

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build-quickstart
is_built=
demo=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-redis) demo+=(--no-redis) ;;
    --build)
      [ $# -ge 2 ] || { echo "quickstart.sh: --build needs a build folder" >&2; exit 2; }
      build=$(realpath -- "$2") is_built=yes
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

list=$top/tests/packages.list
# packages_for PURPOSE...: one a line.
packages_for() {
  local purpose
  for purpose; do
    awk -v purpose="$purpose" '$1 == purpose { for (i = 2; i <= NF; ++i) print $i }' "$list"
  done
}
needed=$(packages_for compile library daemon script network)
[ ${#demo[@]} -gt 0 ] || needed+=$'\n'$(packages_for redis)
mapfile -t packages <<<"$needed"

log=
trap '[ -z "$log" ] || rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "quickstart.sh: $1" >&2
  if [ -s "${log:-}" ]; then tail -n 40 "$log" >&2; fi
  exit 1
}

install_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || return 0  # not Debian: meson says what is missing
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "these packages are missing; install them, or run this as root once: ${missing[*]}"
  echo "packages: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null ||
    fail "apt-get failed:"
  echo "packages: done after $SECONDS s"
}

# Shows ninja's "[12/40] …" as it goes: in one line on a terminal, a few lines elsewhere.
show_progress() {
  local line quarter=0 at all
  while IFS= read -r line; do
    echo "$line" >>"$log"
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    at=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    if [ -t 1 ]; then
      printf '\rbuild: %d of %d ' "$at" "$all"
    elif [ $((at * 4 / all)) -gt "$quarter" ]; then
      quarter=$((at * 4 / all))
      echo "build: $at of $all"
    fi
  done
  if [ -t 1 ] && [ -n "${at:-}" ]; then echo; fi
}

build_portsyncd() {
  if [ ! -e "$build/build.ninja" ]; then
    echo "build: configuring a release in ${build#"$PWD"/}"
    # A set-up that broke off leaves a folder without build.ninja, which meson configures from the start.
    meson setup --buildtype=release -Dtests=disabled -Dexamples=disabled "$build" "$top" >"$log" 2>&1 </dev/null ||
      fail "meson setup failed:"
  fi
  : >"$log"
  ninja -C "$build" portsyncd/portsyncd 2>&1 </dev/null | show_progress
  [ "${PIPESTATUS[0]}" = 0 ] || fail "the build failed:"
}

log=$(mktemp)
tools=(nsenter ip)
if [ -z "$is_built" ]; then
  install_packages
  tools+=(meson ninja)
fi
for tool in "${tools[@]}"; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done
if [ -z "$is_built" ]; then
  set -o pipefail
  build_portsyncd
  echo "build: ${build#"$PWD"/}/portsyncd/portsyncd is there after $SECONDS s"
elif [ ! -x "$build/portsyncd/portsyncd" ]; then
  fail "$build has no portsyncd/portsyncd"
fi

enter=()
[ "$(id -u)" = 0 ] || enter=(unshare -Ur)
"${enter[@]+"${enter[@]}"}" true 2>/dev/null ||
  fail "user namespaces are not allowed here (unshare -Ur failed); run this as root"
rm -f "$log"
exec "${enter[@]+"${enter[@]}"}" /usr/bin/python3 "$top/examples/quickstart_demo.py" "${demo[@]+"${demo[@]}"}" \
  "$build/portsyncd/portsyncd"
