#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Asks a real server what docs/reference/rest.md promises. What floods it, recipes and pictures have scripts of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
# The forest of examples/forest, where contract-recipes.sh has installed what it needs.
build=$(cd "${BUILD:-build/dev}" && pwd)
forest=
if "$build/contract-venv/bin/python" -c 'import sklearn' 2>/dev/null; then forest=$build/contract-venv/bin/python; fi
failed=0
for test in tests/contract/test_*.py; do
  case $test in *_pressure.py | *_transport.py | *_recipes.py | *_ml.py | *_images.py) continue ;; esac
  began=$SECONDS
  # The other test of it is in contract-recipes.sh.
  case $test in *_snippets.py) export TRAINMON_FOREST_PYTHON=$forest ;; *) unset TRAINMON_FOREST_PYTHON ;; esac
  python3 "$test" "$program" || failed=1
  echo "$test: $((SECONDS - began)) s"
done
echo "all: $SECONDS s"
exit "$failed"
