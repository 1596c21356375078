#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Builds the wheel and tests the package with each Python from 3.10 on that is here; the wheel is the same for all.
set -euo pipefail
cd "$(dirname "$0")/../.."
site=$(tests/python/package)
tried=0
for python in python3.10 python3.11 python3.12 python3.13 python3.14; do
  "$python" -c "import ensurepip" 2>/dev/null || continue
  environment=$(tests/python/environment base "$python")
  echo "-- $("$python" --version)"
  # checks/python-frameworks runs the folder robust on the Python of the frameworks.
  folders=(tests/python/core)
  [ "$python" = python3.11 ] || folders+=(tests/python/robust)
  PYTHONPATH=$site timeout 1800 "$environment/bin/python" -m pytest -q -p no:cacheprovider "${folders[@]}"
  tried=$((tried + 1))
done
echo "$tried Pythons"
[ "$tried" -gt 0 ]
