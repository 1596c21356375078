#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# What the README begins with: the quickstart of C and that of Python, short, with a store that is not there yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for kind in "" --python; do
  store=$work/store$kind
  port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
  # shellcheck disable=SC2086 (no argument for C)
  timeout 500 ./examples/quickstart $kind --epochs 2 --store "$store" --port "$port" --exit-when-done </dev/null >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
  grep -q "http://127.0.0.1:$port/" "$work/said" || { cat "$work/said"; echo "no address was printed"; exit 1; }
  status=$(sqlite3 "$store/trainmon.db" "SELECT group_concat(status) FROM training_sessions")
  [ "$status" = completed ] || { cat "$work/said"; echo "the session is '$status', expected completed"; exit 1; }
  echo "quickstart ${kind:-(C)}: completed"
done
