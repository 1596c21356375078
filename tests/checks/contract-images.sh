#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Asks a real server for pictures: docs/reference/images.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/examples/dashboard/trainmon-dashboard
[ -x "$program" ] || { echo "the dashboard program is not built"; exit 77; }
exec python3 tests/contract/test_images.py "$program"
