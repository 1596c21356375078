#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# clang-tidy with the checks of .clang-tidy over all of lib/: minutes, so only with LONG=1 (tests/run --long). A planted bug must be found first.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${LONG:-0}" != 1 ] && [ $# -eq 0 ]; then
  echo "takes minutes: run with --long, or name the files: tests/checks/tidy.sh lib/store/*.c"
  exit 77
fi
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || { echo "clang-tidy is not here; run tests/setup"; exit 77; }
build=${BUILD:-build/dev}
[ -f "$build/compile_commands.json" ] || { echo "$build is not configured: cmake --preset dev"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf 'int planted(int *p);\nint planted(int *p) {\n  if (!p) return *p;\n  return 0;\n}\n' >"$work/planted.c"
if "$tidy" --quiet --config-file=.clang-tidy "$work/planted.c" -- -std=c11 >"$work/out" 2>&1; then
  echo "clang-tidy did not see a planted bug"
  exit 1
fi

if [ $# -gt 0 ]; then files=("$@"); else files=(lib/*/*.c); fi
code=0
printf '%s\0' "${files[@]}" | xargs -0 -P "${JOBS:-$(nproc)}" -n 4 "$tidy" --quiet -p "$build" >"$work/out" 2>/dev/null || code=$?
grep -E '(error|warning): ' "$work/out" | sort -u || true
[ "$code" -eq 0 ] || { cp "$work/out" "$build/tidy.log"; echo "clang-tidy has findings; the paths that lead to them are in $build/tidy.log"; exit 1; }
echo "clang-tidy: ${#files[@]} files, nothing found"
