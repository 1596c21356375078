#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Starts trainings from recipes over REST. The real forest of examples/forest is trained, in a virtual environment below the build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/dev}
program=$build/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
python3 tests/contract/test_recipes.py "$program"
environment=$build/contract-venv
if ! "$environment/bin/python" -c 'import sklearn' 2>/dev/null; then
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet -r examples/forest/requirements.txt
fi
TRAINMON_FOREST_PYTHON=$(realpath -s "$environment")/bin/python
export TRAINMON_FOREST_PYTHON
exec python3 tests/contract/test_ml.py "$program"
