#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# What the README begins with: the quickstart of C and that of Python, short, with a store that is not there yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A port that is free, and none of those that the kernel gives to who asks for any: so nobody takes it before the page does.
free_port() {
  local low high port
  read -r low high </proc/sys/net/ipv4/ip_local_port_range
  for port in $(shuf -i 10000-65000 -n 200); do
    if [ "$low" -gt 10000 ] && [ "$port" -ge "$low" ] && [ "$port" -le "$high" ]; then continue; fi
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

status_of() { sqlite3 "$1/trainmon.db" "SELECT group_concat(status) FROM training_sessions"; }

for kind in "" --python; do
  store=$work/store$kind
  port=$(free_port)
  # shellcheck disable=SC2086 (no argument for C)
  timeout 500 ./examples/quickstart $kind --epochs 2 --store "$store" --port "$port" --exit-when-done </dev/null >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
  grep -q "http://127.0.0.1:$port/" "$work/said" || { cat "$work/said"; echo "no address was printed"; exit 1; }
  status=$(status_of "$store")
  if [ "$status" = running ]; then
    # On a slow disk the trainer has no time to commit its end: whoever opens the store next does that.
    "$(find build/quickstart -type f -name trainmon-dashboard -perm -u+x -print -quit)" "$store" --port 0 >>"$work/said" 2>&1 &
    for _ in {1..600}; do
      status=$(status_of "$store")
      [ "$status" = running ] || break
      sleep 0.1
    done
    kill $! && wait $! || true
  fi
  [ "$status" = completed ] || { cat "$work/said"; echo "the session is '$status', expected completed"; exit 1; }
  echo "quickstart ${kind:-(C)}: completed"
done
