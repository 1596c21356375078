#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Asks a real server everything that docs/reference/rest.md promises. What floods it is in contract-pressure.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
failed=0
for test in tests/contract/test_*.py; do
  case $test in *_pressure.py | *_transport.py) continue ;; esac
  echo "$test"
  python3 "$test" "$program" || failed=1
done
exit "$failed"
