#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# The contract tests once more, of a server under the address and undefined-behaviour sanitizers: minutes, so only with LONG=1 (tests/run --long) or for scripts
# that are named: tests/checks/contract-asan.sh contract contract-images. Builds what it needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${LONG:-0}" != 1 ] && [ $# -eq 0 ]; then
  echo "takes minutes: run with --long, or name the scripts: tests/checks/contract-asan.sh contract"
  exit 77
fi
plain=${BUILD:-build/dev}
export BUILD=build/asan-ubsan
log=build/contract-asan.log
mkdir -p build
if ! { cmake --preset asan-ubsan && cmake --build "$BUILD" -j "${JOBS:-$(nproc)}" --target trainmon-dashboard trainmon-digits minimal; } >"$log" 2>&1; then
  cat "$log"
  exit 1
fi
ldd "$BUILD/examples/dashboard/trainmon-dashboard" | grep -q libasan || { echo "the server is not instrumented"; exit 1; }
# The forest's requirements need no second copy.
if [ -d "$plain/contract-venv" ] && [ ! -e "$BUILD/contract-venv" ]; then ln -s "$(realpath "$plain")/contract-venv" "$BUILD/contract-venv"; fi
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
failed=0
if [ $# -gt 0 ]; then scripts=("$@"); else scripts=(contract contract-images contract-pressure contract-recipes); fi
for script in "${scripts[@]}"; do
  began=$SECONDS
  "tests/checks/$script.sh" || failed=1
  echo "$script: $((SECONDS - began)) s"
done
exit "$failed"
