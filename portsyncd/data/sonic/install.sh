#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs portsyncd in the swss containers of a running SONiC switch, or removes it again.
set -euE

usage() {
  cat <<'END_OF_USAGE'
usage: install.sh [--dry-run] [--any-release] [--limit SECONDS] portsyncd-swss_VERSION_ARCHITECTURE.deb
       remove.sh [--dry-run] [--limit SECONDS]

On the switch, as root, with section.py beside it. In each container swss, swss0, swss1, ... it installs the package,
sets sonic mode in supervisord's template, and restarts swss. A restart of swss restarts syncd, teamd and everything else that
depends on it: traffic stops until they are up again.

Before it changes anything it checks the release, the container's Debian, architecture and libraries, and that swss is
up. If swss is not up again after the limit, by default 300 seconds, it undoes everything and restarts swss once more.

  --dry-run       checks, and prints what it would do
  --any-release   accepts a release that portsyncd was not tested with

The installed files are lost when SONiC recreates the container: after an upgrade of the image, or with another HwSKU.

Exit status: 0, or 1 if a check failed or everything was undone, or 2 for a bad command line.
END_OF_USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
templates=/usr/share/sonic/templates
what=install
dry=
any_release=
limit=300
package=

# wrong WORDS: a bad command line.
wrong() {
  echo "$what.sh: $*; see --help" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=yes ;;
    --any-release) any_release=yes ;;
    --limit)
      [ $# -gt 1 ] || wrong "--limit: expected a number of seconds after it"
      [[ $2 =~ ^[0-9]{1,9}$ ]] || wrong "--limit $2: expected a number of seconds"
      limit=$((10#$2))
      shift
      ;;
    --remove) what=remove ;;  # remove.sh
    --help | -h) usage; exit 0 ;;
    -*) wrong "$1: unknown option" ;;
    *)
      [ -z "$package" ] || wrong "$1: expected one package, and $package is one"
      package=$1
      ;;
  esac
  shift
done
[ $what = install ] || [ -z "$package" ] || wrong "$package: expected no package"
[ $what = remove ] || [ -n "$package" ] || wrong "no package: expected portsyncd-swss_VERSION_ARCHITECTURE.deb"

fail() {
  echo "$what.sh: $*" >&2
  exit 1
}

# change COMMAND...: runs a command that alters the switch, or prints it with --dry-run.
change() {
  if [ -n "$dry" ]; then
    echo "would run: $*"
  else
    echo "+ $*"
    "$@"
  fi
}

# --- the switch as it is ---

# field NAME: of SONiC's version file.
field() {
  sed -n "s/^$1: *'\{0,1\}\([^']*\)'\{0,1\}\$/\1/p" /etc/sonic/sonic_version.yml
}

# Prints the variables that portsyncd needs with this release, besides the mode.
variables_of_release() {
  local release
  [ -r /etc/sonic/sonic_version.yml ] || fail "/etc/sonic/sonic_version.yml: not there; is this a SONiC switch?"
  release=$(field release)
  case $release in
    202411) echo PORTSYNCD_SONIC_MGMT_PORT=true ;;  # nothing else writes MGMT_PORT_TABLE|eth0 there
    202505 | 202511 | 202605) ;;
    none | '') [ "$(field branch)" = master ] || other_release "branch $(field branch)" ;;
    *) other_release "release $release" ;;
  esac
}

other_release() {
  [ -n "$any_release" ] || fail "$1: expected 202411, 202505, 202511, 202605 or master; --any-release installs it anyway"
}

# remove.sh also needs containers that do not run, because portsyncd may be the reason.
containers() {
  local all=()
  [ $what = install ] || all=(--all)
  docker ps "${all[@]+"${all[@]}"}" --format '{{.Names}}' | grep -E '^swss[0-9]*$' | sort
}

# start_for_exec CONTAINER: starts the container if necessary, because docker runs a command only in a running one. A
# container that supervisord ends, because portsyncd is a critical process, runs for some seconds.
start_for_exec() {
  local end=$((SECONDS + 60))
  if [ -n "$dry" ]; then
    docker exec "$1" true 2>/dev/null || fail "container $1 does not run; --dry-run does not start it"
    return 0
  fi
  until docker exec "$1" true 2>/dev/null; do
    [ $SECONDS -lt $end ] || { echo "$what.sh: container $1 does not start" >&2; return 1; }
    docker start "$1" >/dev/null 2>&1 || true
    sleep 0.2
  done
}

# service CONTAINER: swss, or swss@N.
service() {
  local number=${1#swss}
  echo "swss${number:+@$number}"
}

# template CONTAINER: the file that has portsyncd's section.
template() {
  docker exec "$1" sh -c "grep -l '^\[program:portsyncd\]' $templates/supervisord.conf.common.j2 \
    $templates/supervisord.conf.j2 2>/dev/null | head -n 1"
}

# is_up CONTAINER: all ports are there, and portsyncd runs; ours, if it is installed, is not Unhealthy.
is_up() {
  local verdict=0
  docker exec "$1" supervisorctl status portsyncd 2>/dev/null | grep -q RUNNING || return 1
  [ "$(docker exec "$1" sonic-db-cli APPL_DB EXISTS PORT_TABLE:PortInitDone 2>/dev/null)" = 1 ] || return 1
  is_installed "$1" || return 0
  docker exec "$1" portsyncctl health >/dev/null 2>&1 || verdict=$?
  [ $verdict = 0 ] || [ $verdict = 10 ]  # 10: Degraded
}

# is_installed CONTAINER
is_installed() {
  docker exec "$1" dpkg-query --show --showformat '${db:Status-Status}' portsyncd-swss 2>/dev/null | grep -qx installed
}

# --- checks ---

check_package() {
  local container=$1 wanted found
  [ "$(dpkg-deb --field "$package" Package)" = portsyncd-swss ] ||
    fail "$package: expected portsyncd-swss_VERSION_ARCHITECTURE.deb; build.sh makes it"
  wanted=$(dpkg-deb --field "$package" Architecture)
  found=$(docker exec "$container" dpkg --print-architecture)
  [ "$wanted" = "$found" ] || fail "$package is for $wanted, and container $container is $found"
  wanted=$(dpkg-deb --field "$package" Debian-Codename)
  # shellcheck disable=SC2016 # for the container's shell
  found=$(docker exec "$container" sh -c '. /etc/os-release && echo "$VERSION_CODENAME"')
  [ "$wanted" = "$found" ] || fail "$package is for Debian $wanted, and container $container has Debian $found"
  # The program itself finds out whether its libraries are there.
  found=$(dpkg-deb --fsys-tarfile "$package" | docker exec --interactive "$container" sh -c '
    folder=$(mktemp -d) && tar -x -C "$folder" ./usr/bin/portsyncd && "$folder/usr/bin/portsyncd" --version 2>&1
    result=$?
    rm -rf "$folder"
    exit $result') || fail "container $container: portsyncd does not run there: $found"
}

check() {
  local container
  [ "$(id -u)" = 0 ] || fail "only root can change containers"
  [ $what = remove ] || [ -f "$package" ] || fail "$package: no such file"
  [ -n "$found_containers" ] || fail "docker ps shows no container swss, swss0, ...; start swss first"
  for container in $found_containers; do
    start_for_exec "$container"
    [ -n "$(template "$container")" ] ||
      fail "container $container: no supervisord.conf*.j2 in $templates has a section [program:portsyncd]"
    if [ $what = install ]; then
      check_package "$container"
      is_up "$container" || fail "container $container: swss is not up: portsyncd does not run, or PortInitDone is missing"
    fi
  done
}

# --- changes ---

# edit CONTAINER VERB [VARIABLE]...: portsyncd's section of the template, by section.py.
edit() {
  local container=$1 file copy
  shift
  file=$(template "$container")
  copy=$scratch/$container.j2
  docker cp --quiet "$container:$file" "$copy"
  python3 "$here/section.py" "$1" "$copy" "${@:2}"
  change docker cp --quiet "$copy" "$container:$file"
}

put() {
  local container=$1
  change docker cp --quiet "$package" "$container:/tmp/portsyncd-swss.deb"
  change docker exec "$container" dpkg --install /tmp/portsyncd-swss.deb
  change docker exec "$container" rm /tmp/portsyncd-swss.deb
  # shellcheck disable=SC2086 # one argument for each
  edit "$container" add $variables
}

# take_out CONTAINER
take_out() {
  start_for_exec "$1"
  edit "$1" remove
  # Also a package that is only installed in part.
  if docker exec "$1" dpkg-query --show portsyncd-swss >/dev/null 2>&1; then
    start_for_exec "$1"
    change docker exec "$1" dpkg --purge portsyncd-swss
  fi
}

restart() {
  local service
  service=$(service "$1")
  change systemctl reset-failed "$service"  # it allows three starts in 20 minutes
  change systemctl restart "$service"
}

# wait_up CONTAINER
wait_up() {
  local end=$((SECONDS + limit))
  [ -z "$dry" ] || return 0
  until is_up "$1"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 1
  done
  echo "container $1: swss is up"
}

undo() {
  trap - ERR INT TERM HUP
  set +e
  echo "install.sh: $1; it is undone" >&2
  for container in $changed; do
    systemctl stop "$(service "$container")"  # so that systemd does not start it again and again meanwhile
    take_out "$container"
    restart "$container"
  done
  for container in $changed; do
    wait_up "$container" || echo "install.sh: container $container: swss is not up after the changes were undone either; see \
'docker exec $container supervisorctl status' and /var/log/syslog" >&2
  done
  exit 1
}

variables=$([ $what = remove ] || variables_of_release)
found_containers=$(containers || true)
check
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
changed=
for container in $found_containers; do
  if [ $what = install ]; then
    if [ -z "$dry" ]; then  # a dry run changes nothing, so it has nothing to undo
      changed="$changed $container"
      trap 'undo "container $container: a step failed"' ERR
      trap 'undo "interrupted"' INT TERM HUP
    fi
    put "$container"
  else
    take_out "$container"
  fi
done
for container in $found_containers; do
  restart "$container"
done
for container in $found_containers; do
  if ! wait_up "$container"; then
    [ $what = remove ] || undo "container $container: swss is not up after $limit s"
    fail "container $container: swss is not up after $limit s"
  fi
done
