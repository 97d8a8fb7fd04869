#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds portsyncd-swss, the Debian package for SONiC's swss container, outside of SONiC's own build.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: build.sh bookworm|trixie [amd64|arm64] [DIRECTORY]
       build.sh --here [amd64|arm64] [DIRECTORY]

Leaves portsyncd-swss_VERSION_ARCHITECTURE.deb in DIRECTORY, by default build-swss/SUITE. A DIRECTORY that does not exist
is made if it has a /, such as ./out. The architecture is this machine's by default.

bookworm: for SONiC 202411, 202505 and 202511.  trixie: for 202605 and master.

It builds in a root of that Debian, DIRECTORY/root, which mmdebstrap makes at the first run; this needs root, and the
package mmdebstrap. --here builds on the machine itself, which must be that Debian. With docker instead of mmdebstrap:

  docker run --rm -v "$PWD:/portsync" -w /portsync debian:trixie portsyncd/data/sonic/build.sh --here

--here installs what is missing with apt-get, so it needs root, too.

Exit status: 0, or 1 if the package could not be built, or 2 for a bad command line.
END_OF_USAGE
}

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

# wrong WORDS: a bad command line.
wrong() {
  echo "build.sh: $*" >&2
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
for word; do
  case $word in
    --help | -h) usage; exit 0 ;;
    --here) ;;
    -*) wrong "$word: unknown option; see --help" ;;
  esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
inside=
case $1 in
  bookworm | trixie) suite=$1 ;;
  --here)
    inside=yes
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-${ID-unknown}}")
    ;;
  *) wrong "$1: expected bookworm, trixie or --here; see --help" ;;
esac
shift
architecture=
case ${1-} in
  amd64 | arm64) architecture=$1; shift ;;
esac
if [ $# -gt 0 ]; then
  [[ $1 != --here ]] || wrong "--here: expected only as the first word; see --help"
  [[ $1 == */* || -d $1 ]] || wrong "$1: expected amd64, arm64 or a DIRECTORY with a / in it"
  [ $# -eq 1 ] || wrong "$2: expected nothing after the DIRECTORY; see --help"
fi
case $suite in
  bookworm | trixie) ;;
  *) fail "this machine is $suite: expected Debian bookworm or trixie; see --help for docker" ;;
esac
machine=$(dpkg --print-architecture)
architecture=${architecture:-$machine}
[ "$(id -u)" = 0 ] || fail "only root can make a root and install packages"
mkdir -p "${1-$top/build-swss/$suite}"
out=$(cd "${1-$top/build-swss/$suite}" && pwd)
cross=$([ "$architecture" = "$machine" ] || echo cross)
profiles=pkg.portsync.swss,nodoc,nocheck${cross:+,$cross}
tools=(build-essential ${cross:+"crossbuild-essential-$architecture"})

# install_what_is_needed FOLDER_WITH_DEBIAN_CONTROL
install_what_is_needed() {
  local options=(--yes --quiet --no-install-recommends)
  export DEBIAN_FRONTEND=noninteractive
  [ -z "$cross" ] || dpkg --add-architecture "$architecture"
  apt-get update --quiet
  apt-get install "${options[@]}" "${tools[@]}"
  apt-get build-dep "${options[@]}" --host-architecture "$architecture" --build-profiles "$profiles" "$1"
}

# build_here DIRECTORY: as SONiC's slave.mk does, with the same rules and Makefile.
build_here() {
  local work
  work=$1/work
  rm -rf "$work"
  mkdir "$work"
  "$here/apply.sh" --rules-only "$work"
  # shellcheck disable=SC2016 # for make
  printf '%s\n' 'SRC_PATH = src' 'include rules/portsyncd.mk' 'made: ; $(MAKE) -C $($(PORTSYNCD)_SRC_PATH) $(DEST)/$(PORTSYNCD)' \
    >"$work/Makefile"
  make -C "$work" made DEST="$1" CONFIGURED_ARCH="$architecture" CROSS_BUILD_ENVIRON="${cross:+y}" \
    SONIC_CONFIG_MAKE_JOBS="${JOBS:-$(nproc)}"
  rm -rf "$work"
}

# The archive of Debian that this machine's apt uses, if it uses one, so that a mirror stays in use.
archive() {
  local found codename
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || codename=none
  # shellcheck disable=SC2016 # for apt
  found=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -v codename="$codename" '$2 == codename && $3 == "main" { print $1; exit }')
  echo "${found:-http://deb.debian.org/debian}"
}

make_root() {
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is not installed: apt-get install mmdebstrap, or see --help for docker"
  rm -rf --one-file-system "$root"
  # shellcheck disable=SC2016 # for mmdebstrap's shell
  mmdebstrap --quiet --variant=apt --architectures="$machine${cross:+,$architecture}" \
    --include="$(IFS=,; echo "${tools[*]}")" --customize-hook='mkdir "$1/asked"' \
    --customize-hook="copy-in $top/debian /asked" \
    --customize-hook='chroot "$1" apt-get build-dep --yes --no-install-recommends --host-architecture '"$architecture"' \
      --build-profiles '"$profiles"' /asked' "$suite" "$root" "deb $(archive) $suite main"
}

# build_in_root: the mounts end with the namespace, and so do the processes.
build_in_root() {
  mkdir -p "$root/portsync" "$root/made"
  # shellcheck disable=SC2016 # for the inner shell
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --bind -o ro "$2" "$1/portsync"
    mount --bind "$3" "$1/made"
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PORTSYNC_PREPARED=yes ${JOBS:+JOBS="$JOBS"} \
      chroot "$1" /portsync/portsyncd/data/sonic/build.sh --here "$4" /made' bash "$root" "$top" "$out" "$architecture"
}

if [ -n "$inside" ]; then
  [ "${PORTSYNC_PREPARED-}" = yes ] || install_what_is_needed "$top"
  build_here "$out"
else
  root=$out/root${cross:+-$architecture}
  cmp -s "$top/debian/control" "$root/asked/debian/control" || make_root
  build_in_root
fi
ls -l "$out"/portsyncd-swss_*_"$architecture".deb
