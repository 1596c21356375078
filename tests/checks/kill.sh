#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# What a kill, a fork, a full disk and an exit do to a store: builds the programs of tests/fault and runs their drivers. LONG=1: 200 rounds.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/dev}
library=$(find "$build/lib" -maxdepth 1 \( -name 'libtrainmon.so' -o -name 'libtrainmon_test.a' \) | sort -r | head -n 1)
if [ -z "$library" ]; then
  echo "no libtrainmon in $build: build it first"
  exit 1
fi
export FAULT_PROGRAMS="$PWD/$build/tests/fault" PYTHONDONTWRITEBYTECODE=1
mkdir -p "$FAULT_PROGRAMS"
warnings="-std=gnu11 -O2 -g -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Werror"
# shellcheck disable=SC2086
${CC:-cc} $warnings -shared -fPIC -o "$FAULT_PROGRAMS/slow_sync.so" tests/fault/slow_sync.c
for source in tests/fault/*.c; do
  name=$(basename "$source" .c)
  if [ "$name" = slow_sync ]; then continue; fi
  # shellcheck disable=SC2046,SC2086
  ${CC:-cc} $warnings -Iinclude ${CFLAGS:-} \
    -o "$FAULT_PROGRAMS/$name" "$source" "$library" -Wl,-rpath,"$PWD/$build/lib" $(pkg-config --libs sqlite3 libcjson) -lpthread -lm
done
if [ $# -gt 0 ]; then drivers=("$@"); else drivers=("kill" "kill reader" "many" "forked" "full" "leave"); fi
failed=0
for driver in "${drivers[@]}"; do
  read -ra words <<<"$driver"
  [ -f "tests/fault/${words[0]}.py" ] || continue
  python3 "tests/fault/${words[0]}.py" "${words[@]:1}" || failed=1
done
exit "$failed"
