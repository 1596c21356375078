#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Tests the package with the real frameworks, each folder of tests/python in a process of its own: Ultralytics stands in for torchvision, which others must not see.
set -euo pipefail
cd "$(dirname "$0")/../.."
site=$(tests/python/package)
python=$(command -v python3.11 || command -v python3)
environment=$(tests/python/environment frameworks "$python")
failed=0
for folder in tests/python/*/; do
  name=$(basename "$folder")
  [ "$name" != core ] && ls "$folder"test_*.py >/dev/null 2>&1 || continue
  echo "-- $name"
  begin=$SECONDS
  PYTHONPATH=$site "$environment/bin/python" -m pytest -q -p no:cacheprovider --durations=3 "$folder" || failed=1
  echo "-- $name: $((SECONDS - begin)) s"
done
exit $failed
