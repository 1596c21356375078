#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Builds the page from its locked dependencies and compares it, byte by byte, with the committed files.
set -euo pipefail
unset NODE_ENV # it changes what npm installs and what Vite builds

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/dashboard"
cp -R "$root/examples/dashboard/web" "$work/dashboard/web"
rm -rf "$work/dashboard/web/node_modules" "$work/dashboard/web/.test"
cd "$work/dashboard/web"

if grep -q '"resolved"' package-lock.json; then
  echo "page: package-lock.json names a registry; set omit-lockfile-registry-resolved" >&2
  exit 1
fi
npm ci --no-audit --no-fund --loglevel=error
npm run --silent check
npm run --silent lint
npm test --silent
npx vite build --logLevel warn
npm run --silent size

if ! diff -r "$work/dashboard/dist" "$root/examples/dashboard/dist"; then
  echo "page: examples/dashboard/dist is not what examples/dashboard/web builds; run npm run build there and commit" >&2
  exit 1
fi
# What the content security policy of the server forbids must not be in the HTML.
if grep -nE '<style|style=|<script>|javascript:| on[a-z]+=' "$root/examples/dashboard/dist/index.html"; then
  echo "page: index.html has inline script or style" >&2
  exit 1
fi
echo "page: the committed files are what the source builds"
