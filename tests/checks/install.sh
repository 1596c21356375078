#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Installs the library and builds and runs examples/minimal against it, once through CMake and once through pkg-config.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build/dev}")
if ! compgen -G 'lib/track/*.c' >/dev/null; then
  echo "the core has no sessions yet"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
library=$(dirname "$(find "$work/prefix" -name 'libtrainmon.so.0' -print -quit)")
export LD_LIBRARY_PATH=$library PKG_CONFIG_PATH=$library/pkgconfig

run() {
  "$1" "$work/$2" || { echo "$2: the program failed"; exit 1; }
  # Asked of the database itself, not of the library under test.
  rows=$(sqlite3 -readonly "$work/$2/trainmon.db" "SELECT count(*) FROM training_sessions WHERE status = 'completed'")
  [ "$rows" = 1 ] || { echo "$2: expected 1 completed session, found $rows"; exit 1; }
  linked=$(ldd "$1" | grep -c "$library/libtrainmon.so.0") || true
  [ "$linked" = 1 ] || { echo "$2: does not use the installed library"; exit 1; }
}

cp -r examples/minimal "$work/consumer"
cmake -S "$work/consumer" -B "$work/build" -G Ninja "-DCMAKE_PREFIX_PATH=$work/prefix" >/dev/null
cmake --build "$work/build" >/dev/null
run "$work/build/minimal" by-cmake

read -ra flags < <(pkg-config --cflags --libs trainmon)
cc -std=c11 -Wall -Wextra -Werror examples/minimal/main.c -o "$work/by-pkg-config-program" "${flags[@]}"
run "$work/by-pkg-config-program" by-pkg-config

version=$(sed -nE 's/^#define TMON_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' include/trainmon/version.h | paste -sd.)
[ "$(pkg-config --modversion trainmon)" = "$version" ] || { echo "trainmon.pc does not say $version"; exit 1; }
if [ -f "$library/libtrainmon-serve.so.0" ]; then
  pkg-config --cflags --libs trainmon-serve >/dev/null
fi
echo "installed and used through CMake and pkg-config"
