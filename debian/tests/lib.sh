#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests that run the service. Redirects standard error, because output there would fail the test.
exec 2>&1

# Makes two ports that are up. Removes them when the test ends.
make_ports() {
  trap 'for port in 0 4; do ip link del "Ethernet$port" || true; done' EXIT
  for port in 0 4; do
    ip link add "Ethernet$port" type veth peer name "far$port"
    ip link set "far$port" up
    ip link set "Ethernet$port" up
  done
}

ports() {
  portsyncctl ports | sed -n 's/^\(Ethernet[0-9]*\).*/\1/p' | xargs
}

# wait_for TEXT COMMAND...: waits until the command prints the text.
wait_for() {
  wanted=$1
  shift
  for _ in $(seq 300); do
    said=$("$@" || true)
    if [ "$said" = "$wanted" ]; then
      echo "$*: $said"
      return
    fi
    sleep 0.1
  done
  echo "$*: wanted $wanted, it said $said"
  journalctl -q -u portsyncd -n 30
  exit 1
}
