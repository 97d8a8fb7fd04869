#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts portsyncd into a checkout of sonic-buildimage.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: apply.sh [--rules-only] DIRECTORY

DIRECTORY is a checkout of sonic-buildimage. apply.sh writes these files. A second call replaces them:

  rules/portsyncd.mk, rules/portsyncd.dep           the package portsyncd-swss, and docker-orchagent's dependency on it
  src/portsyncd/                                    a Makefile, this source as a tar archive, its checksum, and a
                                                    .gitignore, because sonic-buildimage's ignores *.gz
  dockers/docker-orchagent/supervisord.conf*.j2     PORTSYNCD_SYNC_MODE=sonic in the section of portsyncd
  sonic-slave-*/Dockerfile.j2                       the packages that the build needs besides those of the slave

Look at the result with `git add --all` and `git diff --staged`, and commit it. --rules-only: only the first two.
END_OF_USAGE
}

# wrong WORDS: a bad command line.
wrong() {
  echo "apply.sh: $*; see --help" >&2
  exit 2
}

rules_only=
to=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --rules-only) rules_only=yes ;;
    -*) wrong "$1: unknown option" ;;
    *) [ -z "$to" ] || wrong "$1: expected one DIRECTORY, and $to is one"; to=$1 ;;
  esac
  shift
done
[ -n "$to" ] || wrong "no DIRECTORY: expected a checkout of sonic-buildimage"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
# SONiC's slaves already have the other packages that the build needs.
slave_packages=(libcli11-dev libspdlog-dev libtoml11-dev)

fail() {
  echo "apply.sh: $*" >&2
  exit 1
}

[ -d "$to" ] || fail "$to: expected a folder"
[ -n "$rules_only" ] || [ -f "$to/slave.mk" ] || fail "$to: expected a checkout of sonic-buildimage, found no slave.mk"

put_rules() {
  local version archive unpacked
  mkdir -p "$to/rules" "$to/src/portsyncd"
  cp "$here/rules/portsyncd.mk" "$here/rules/portsyncd.dep" "$to/rules/"
  cp "$here/src/portsyncd/Makefile" "$to/src/portsyncd/"
  version=$(sed -n 's/^PORTSYNCD_VERSION = //p' "$here/rules/portsyncd.mk")
  archive=portsync_$version.orig.tar.gz
  rm -f "$to"/src/portsyncd/portsync_*.orig.tar.gz*
  echo '!portsync_*.orig.tar.gz' >"$to/src/portsyncd/.gitignore"
  # The same source makes the same archive, also after a build: it has no build, no unpacked wrap, and nothing else that
  # .gitignore names.
  mapfile -t unpacked < <(find "$top/subprojects" -mindepth 1 -maxdepth 1 -type d ! -name packagefiles \
    -printf '--exclude=./subprojects/%f\n')
  tar -c --sort=name --mtime=@1767225600 --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX --exclude='./build*' \
    --exclude=./.git "${unpacked[@]}" --exclude=__pycache__ --exclude='*.pyc' --exclude=.cache --exclude=compile_commands.json \
    --transform="s,^\.,portsync-$version," -C "$top" . | gzip -n >"$to/src/portsyncd/$archive"
  (cd "$to/src/portsyncd" && sha256sum "$archive" >"$archive.sha256")
}

# The section has been in the common file since March 2026, and in supervisord.conf.j2 before.
template() {
  local name
  for name in supervisord.conf.common.j2 supervisord.conf.j2; do
    if grep -q '^\[program:portsyncd\]' "$to/dockers/docker-orchagent/$name" 2>/dev/null; then
      echo "$to/dockers/docker-orchagent/$name"
      return
    fi
  done
  fail "$to/dockers/docker-orchagent: no supervisord.conf*.j2 has a section [program:portsyncd]"
}

put_slave_packages() {
  local file package
  for file in "$to"/sonic-slave-bookworm/Dockerfile.j2 "$to"/sonic-slave-trixie/Dockerfile.j2; do
    [ -f "$file" ] || continue
    for package in "${slave_packages[@]}"; do
      grep -qw -- "$package" "$file" && continue
      grep -q '^ *libhiredis-dev \\$' "$file" || fail "$file: add $package to what apt-get installs, by hand"
      sed -i "s/^\( *\)libhiredis-dev \\\\\$/&\n\1$package \\\\/" "$file"
    done
  done
}

file=$([ -n "$rules_only" ] || template)
put_rules
if [ -z "$rules_only" ]; then
  python3 "$here/section.py" add "$file"
  put_slave_packages
fi
