#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command in a root of Debian 13 that has the packages of README's build table and nothing else.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: tests/debian13.sh [--help] [COMMAND [ARGUMENT]...]

Runs COMMAND, or a shell, as root in a root of Debian 13. The checkout and the folder of builds are in it at the same
paths as here; the current folder is the checkout. The root is made by mmdebstrap at the first run, and again when
README's table of packages has changed, in build-tests/debian13-root (or $PORTSYNC_BUILDS/debian13-root).
tests/run.sh --debian13 builds and tests in it.
END_OF_USAGE
}

case ${1-} in
  --help | -h) usage; exit 0 ;;
  -*) echo "tests/debian13.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
esac

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${PORTSYNC_BUILDS:-$top/build-tests}"
builds=$(cd "${PORTSYNC_BUILDS:-$top/build-tests}" && pwd)
root=$builds/debian13-root
# Mounts in a mount namespace and processes in a process namespace: both end with this script, however it ends. (unshare
# ignores SIGTERM; hence setpriv.)
contained=(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc)

fail() {
  echo "tests/debian13.sh: $*" >&2
  exit 1
}

# The second column of README's build table.
readme_packages() {
  awk -F '|' '/^\| needed / { table = 1; next } table && !/^\|/ { exit } table && !/^\| *-/ { print $3 }' \
    "$top/README.md" | xargs
}

packages=$(readme_packages)
[ -n "$packages" ] || fail "README.md has no table of packages"
[ "$(id -u)" = 0 ] || fail "only root can make a root and enter it"
# shellcheck disable=SC2086 # one argument for each
"${contained[@]}" /usr/bin/python3 -B "$top/tests/support/debian_root.py" trixie "$root" $packages

# shellcheck disable=SC2016 # for the inner shell
"${contained[@]}" bash -euc '
  root=$1 top=$2 builds=$3
  shift 3
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
  for folder in "$top" "$builds"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
  done
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    ${PORTSYNC_PATIENCE:+PORTSYNC_PATIENCE="$PORTSYNC_PATIENCE"} \
    chroot "$root" sh -c "cd \"\$0\" && exec \"\$@\"" "$top" "$@"
' bash "$root" "$top" "$builds" "${@:-bash}"
