#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Kills the server at random instants while a trainer logs. LONG=1: 200 rounds.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BUILD=${BUILD:-build/dev}
export DASHBOARD="$PWD/$BUILD/examples/dashboard/trainmon-dashboard"
[ -x "$DASHBOARD" ] || { echo "the dashboard program is not built"; exit 77; }
exec tests/checks/kill.sh server_kill
