#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: fuzz.sh PROGRAM MINUTES
# Fuzzes one target, whose program is fuzz_NAME, from its corpus and from what earlier runs of this build found. Leaves
# an input that breaks a promise beside the program, and prints it. Reports progress on descriptor 3 every minute.
set -eu

program=$1
minutes=$2
name=${program##*/fuzz_}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
found=$(dirname "$program")/found/$name
mkdir -p "$found"

# An input may take a minute of wall-clock time, because a busy machine must not look like a hang.
options=(-max_total_time=$((minutes * 60)) -timeout=60 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1
  "-artifact_prefix=$program-")
dictionary=$here/dictionaries/$name.dict
[ ! -e "$dictionary" ] || options+=("-dict=$dictionary")

log=$program.log
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$program" "${options[@]}" "$found" "$here/corpus/$name" >"$log" 2>&1 &
fuzzer=$!
for ((minute = 1; ; ++minute)); do
  sleep 60 &
  sleeper=$!
  wait -n "$fuzzer" "$sleeper" || true
  kill -0 "$fuzzer" 2>/dev/null || break
  last=$(grep -a '^#' "$log" | tail -n 1)
  far=$(sed -E 's/^#([0-9]+).*cov: ([0-9]+).*/\1 runs, \2 edges/' <<<"$last")
  printf '\n  %-42s' "$minute of $minutes min: $far" >&3
done
kill "$sleeper" 2>/dev/null || true
grep -avE '^#|^INFO:' "$log" | cut -c -500 | tail -n 50
wait "$fuzzer"
