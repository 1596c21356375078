#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Installs the library and builds and runs examples/minimal against it, once through CMake and once through pkg-config; the same for
# the server's library and its program.
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

# How many of the first session of a store are completed.
completed() {
  sqlite3 -readonly "$work/$1/trainmon.db" "SELECT count(*) FROM (SELECT status FROM training_sessions ORDER BY key LIMIT 1) WHERE status = 'completed'"
}

run() {
  "$1" "$work/$2" || { echo "$2: the program failed"; exit 1; }
  # Asked of the database itself, not of the library under test.
  rows=$(completed "$2")
  if [ "$rows" = 0 ]; then
    # On a slow disk the program ends before its session is committed: who opens the store next, here a second run, does that.
    "$1" "$work/$2" || { echo "$2: the program failed"; exit 1; }
    rows=$(completed "$2")
  fi
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

[ -f "$library/trainmon/trainmon_sqlite.so" ] || { echo "the SQLite extension is not installed"; exit 1; }

version=$(sed -nE 's/^#define TMON_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' include/trainmon/version.h | paste -sd.)
[ "$(pkg-config --modversion trainmon)" = "$version" ] || { echo "trainmon.pc does not say $version"; exit 1; }

# A version that is not there must be refused.
sed 's/find_package(trainmon [0-9.]*/find_package(trainmon 99.0/' examples/minimal/CMakeLists.txt >"$work/consumer/CMakeLists.txt"
if cmake -S "$work/consumer" -B "$work/refused" -G Ninja "-DCMAKE_PREFIX_PATH=$work/prefix" >"$work/refused.log" 2>&1; then
  echo "find_package takes version $version for 99.0"
  exit 1
fi

if [ -f "$library/libtrainmon-serve.so.0" ]; then
  mkdir "$work/server"
  cat >"$work/server/main.c" <<'C'
#include <trainmon/server.h>
#include <trainmon/trainmon.h>
int main(int count, char **arguments) {
  tmon_store *store = NULL;
  tmon_server *server = NULL;
  uint16_t port = 0;
  tmon_server_options options = {.size = sizeof options, .ports = &port, .port_count = 1};
  int rc = count == 2 ? tmon_store_open(&store, arguments[1], NULL) : TMON_EINVAL;
  if (rc == TMON_OK) rc = tmon_server_open(&server, store, &options);
  tmon_server_free(server);
  tmon_store_free(store);
  return rc == TMON_OK ? 0 : 1;
}
C
  cat >"$work/server/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(server LANGUAGES C)
find_package(trainmon REQUIRED COMPONENTS serve)
add_executable(server main.c)
target_link_libraries(server PRIVATE trainmon::serve)
CMAKE
  cmake -S "$work/server" -B "$work/server/build" -G Ninja "-DCMAKE_PREFIX_PATH=$work/prefix" >/dev/null
  cmake --build "$work/server/build" >/dev/null
  "$work/server/build/server" "$work/served" || { echo "serve by CMake: the program failed"; exit 1; }
  read -ra flags < <(pkg-config --cflags --libs trainmon-serve)
  cc -std=c11 -Wall -Wextra -Werror "$work/server/main.c" -o "$work/server/by-pkg-config" "${flags[@]}"
  "$work/server/by-pkg-config" "$work/served" || { echo "serve by pkg-config: the program failed"; exit 1; }
  if [ -x "$work/prefix/bin/trainmon-dashboard" ]; then
    "$work/prefix/bin/trainmon-dashboard" --help >/dev/null || { echo "the installed trainmon-dashboard does not start"; exit 1; }
  fi
fi
echo "installed and used through CMake and pkg-config"
