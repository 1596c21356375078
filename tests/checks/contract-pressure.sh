#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Clients that stall, trickle, crowd and storm, and both address families and compression, on real sockets.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
python3 tests/contract/test_transport.py "$program"
exec python3 tests/contract/test_pressure.py "$program"
