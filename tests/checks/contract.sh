#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Asks a real server everything that docs/reference/rest.md promises.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
python3 tests/contract/test_leaderboard.py "$program"
exec python3 tests/contract/test_rest.py "$program"
