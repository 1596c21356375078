#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Tests the package with the real frameworks, each folder of tests/python in a process of its own: Ultralytics stands in for torchvision, which others must not see.
set -euo pipefail
cd "$(dirname "$0")/../.."
site=$(tests/python/package)
python=$(command -v python3.11 || command -v python3)
environment=$(tests/python/environment frameworks "$python")

# run_folder NAME: its tests; what they say goes to a file, since two folders run at once.
run_folder() {
  local begin=$SECONDS code=0
  PYTHONPATH=$site timeout 1800 "$environment/bin/python" -m pytest -q -p no:cacheprovider --durations=3 "tests/python/$1" >"$logs/$1.log" 2>&1 || code=$?
  echo "-- $1: $(tail -n 1 "$logs/$1.log") ($((SECONDS - begin)) s)"
  [ "$code" -eq 0 ] || cat "$logs/$1.log"
  return "$code"
}

logs=build/python/logs
mkdir -p "$logs"
export site environment logs
export -f run_folder
for folder in tests/python/*/; do
  name=$(basename "$folder")
  [ "$name" = core ] || ! ls "$folder"test_*.py >/dev/null 2>&1 || echo "$name"
done | xargs -P "${JOBS:-2}" -I NAME bash -c 'run_folder NAME'
