#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Spelling in pages, comments and messages; .codespellrc holds the exceptions. A planted mistake must be found first.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v codespell >/dev/null || { echo "codespell is not here; run tests/setup"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Put together here, so that this file does not hold the mistake.
printf '/* rec%sve */\n' ie >"$work/planted.c"
if codespell "$work/planted.c" >"$work/out"; then
  echo "codespell did not see a planted mistake"
  exit 1
fi
# What people wrote: not the page's build, not locked dependencies, not inputs of the fuzzers.
mapfile -d '' -t files < <(git ls-files -co --exclude-standard -z -- . ':!*/dist/*' ':!*package-lock.json' ':!tests/fuzz/corpus' ':!examples/digits/data')
codespell "${files[@]}"
echo "codespell: ${#files[@]} files"
