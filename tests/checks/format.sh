#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Compares every C file with .clang-format; before that a file that differs must be found, or the comparison says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# clang-format looks for its configuration in the folders above the file.
cp .clang-format "$work"
printf 'int f(void)\n{\n  return 0;\n}\n' >"$work/planted.c"
code=0
tests/format "$work/planted.c" >"$work/out" 2>&1 || code=$?
if [ "$code" -eq 77 ]; then
  cat "$work/out"
  exit 77
fi
[ "$code" -eq 1 ] || { echo "tests/format did not see a file that differs"; exit 1; }
tests/format --fix "$work/planted.c" >"$work/out" 2>&1
tests/format "$work/planted.c" >"$work/out" 2>&1 || { echo "tests/format --fix left a file that differs"; exit 1; }

tests/format
