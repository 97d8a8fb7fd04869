#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints portsyncd's status, health, ports, resources, errors and the end of the log. To repeat it, use watch -n 5 ...
set -u

usage() {
  cat <<'END_OF_USAGE'
usage: monitor_portsyncd.sh [--help] [UNIT]

UNIT is portsyncd, or portsyncd@asic0 for that of an ASIC. Ends as portsyncctl health does, with 0 Healthy, 10 Degraded,
11 Unhealthy, and with 69 when portsyncd does not run. Needs nothing but systemd and portsyncctl.
END_OF_USAGE
}

case ${1-} in
  --help | -h) usage; exit 0 ;;
  -*) usage >&2; exit 78 ;;
esac
unit=${1:-portsyncd}
instance=${unit#portsyncd}
instance=${instance#@}
socket=/run/portsyncd${instance:+-$instance}/control.sock

section() {
  printf '\n== %s ==\n' "$1"
}

property() {
  systemctl show --property "$1" --value "$unit"
}

pid=$(property MainPID)

echo "$unit on $(uname -n), $(date '+%F %T')"
section status
echo "$(property ActiveState) ($(property SubState)) since $(property ActiveEnterTimestamp), restarts: $(property NRestarts)"
property StatusText

section health
status=69
if [ "$pid" -gt 0 ]; then
  portsyncctl --socket "$socket" health | tail -n 5
  portsyncctl --socket "$socket" health >/dev/null
  status=$?
fi

section ports
[ "$pid" -eq 0 ] || portsyncctl --socket "$socket" status | grep -E 'Ports|Store'

section resources
[ "$pid" -eq 0 ] || ps -o pid,%cpu,rss,nlwp,etime -p "$pid"

section 'errors of the last hour'
journalctl --quiet --no-pager --unit "$unit" --priority err --since -1h | tail -n 10

section 'end of the log'
journalctl --quiet --no-pager --unit "$unit" --lines 10
exit "$status"
