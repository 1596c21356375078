#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# ruff over all Python of the package, its tests and examples, and mypy over the package; the settings are in bindings/python/pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=$(tests/python/environment lint)
"$environment/bin/python" -m ruff check bindings/python tests/python tests/bench/python \
  $(ls -d examples/lightning examples/yolo examples/plain examples/retfound 2>/dev/null)
cd bindings/python
"$environment/bin/python" -m mypy src/trainmon
