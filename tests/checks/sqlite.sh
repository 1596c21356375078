#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# trainmon_points in the real sqlite3 shell, on a real store: the same points as tmon_extract, clean errors for damaged bytes, and all of it once more with an
# instrumented build of the extension.
set -euo pipefail
export LC_ALL=C # awk reads and writes decimal points
cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build/dev}")
extension=$build/lib/trainmon_sqlite.so
plain=$extension # to make a file with, where $extension is instrumented
library=$build/lib/libtrainmon.so
[ -f "$extension" ] && [ -f "$library" ] || { echo "the extension or the shared library is not built"; exit 77; }
command -v sqlite3 >/dev/null || { echo "the sqlite3 shell is not here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
preload=

die() { echo "sqlite: $1"; exit 1; }
ask() { # DATABASE SQL
  LD_PRELOAD=$preload sqlite3 -batch -init /dev/null -readonly -bail "$1" ".load $extension" "$2" 2>&1
}
is() { # WANTED SQL
  local got
  got=$(ask "$store/trainmon.db" "$2") || die "$2: $got"
  [ "$got" = "$1" ] || die "$2: expected '$1', got '$got'"
}
refused() { # PATTERN DATABASE SQL
  local got
  if got=$(ask "$2" "$3"); then die "$3: expected an error, got '$got'"; fi
  grep -q "$1" <<<"$got" || die "$3: expected an error with '$1', got '$got'"
}

store=$work/store
# An instrumented library needs its runtime before Python.
runtime=$(ldd "$library" | awk '/lib[at]san/ { print $3 }')
id=$(LD_PRELOAD=$runtime ASAN_OPTIONS=detect_leaks=0 python3 tests/contract/extract_session.py "$library" "$store" 90000 "0=$work/all.csv")
id=${id%%$'\n'*}
tail -n +2 "$work/all.csv" | tr -d '\r' | awk -F, -v OFS='|' '/,train\/loss,/ { print $3, $5, $4 }' >"$work/wanted"
[ "$(wc -l <"$work/wanted")" = 30000 ] || die "tmon_extract gave $(wc -l <"$work/wanted") points"

same_points() {
  is "$(awk -F'|' '{ n++; s += $1 } END { print n "|" s }' "$work/wanted")" "SELECT count(*), sum(step) FROM trainmon_points('$id', 'train/loss')"
  is 1 "SELECT abs(sum(value) - $(awk -F'|' '{ s += $2 } END { printf "%.15g", s }' "$work/wanted")) < 1e-9 FROM trainmon_points('$id', 'train/loss')"
  # One by one: step, value to the last bit, time.
  ask "$store/trainmon.db" "SELECT step, printf('%!.17g', value), time FROM trainmon_points('$id', 'train/loss')" >"$work/got"
  python3 - "$work/wanted" "$work/got" <<'PY' || die "the points differ from those of tmon_extract"
import sys
wanted, got = ([line.rstrip("\n").split("|") for line in open(name)] for name in sys.argv[1:3])
assert [(step, float(value), time) for step, value, time in wanted] == [(step, float(value), time) for step, value, time in got]
PY
}

questions() {
  same_points
  # Bounds on step: the same rows as without them.
  for bound in 'step = 12345' 'step > 29990' 'step >= 29990' 'step < 10' 'step <= 10' 'step BETWEEN 1000 AND 2500' 'step > 9.5 AND step < 11.5' 'step > 1e300' \
    "step = '77'" 'step IN (5, 29999)' 'step IS NULL' 'step > 5 AND step < 3' 'step < -9223372036854775808' 'step >= 9223372036854775807'; do
    is "$(ask "$store/trainmon.db" "SELECT count(*), total(step) FROM (SELECT CAST(step AS INTEGER) AS step FROM trainmon_points('$id', 'train/loss')) WHERE $bound")" \
      "SELECT count(*), total(step) FROM trainmon_points('$id', 'train/loss') WHERE $bound"
  done
  is '1|1' "SELECT attempt, count(DISTINCT writer) FROM trainmon_points('$id', 'val/loss')"
  is "${id:0:8}|30000" "SELECT s.session_name, count(*) FROM training_sessions AS s, trainmon_points(s.id, 'train/loss') AS p GROUP BY 1"
  is 30000 "SELECT count(*) FROM trainmon_points('${id:0:8}', '=odd,\"name\"')"
  is 30000 "SELECT count(*) FROM trainmon_points WHERE session = '$id' AND key = 'val/loss'"
  is 30000 "SELECT count(*) FROM trainmon_points('$id', 'val/loss') AS a JOIN trainmon_points('$id', 'train/loss') AS b USING (step)"
  is 0 "SELECT count(*) FROM trainmon_points('$id', 'nothing')"
  is 0 "SELECT count(*) FROM trainmon_points(NULL, 'nothing')"
  refused 'there is no session "nobody"' "$store/trainmon.db" "SELECT * FROM trainmon_points('nobody', 'x')"
  refused 'needs a session' "$store/trainmon.db" "SELECT * FROM trainmon_points('$id')"
  refused 'needs a session' "$store/trainmon.db" "SELECT * FROM trainmon_points"
  sqlite3 "$work/other.db" 'CREATE TABLE IF NOT EXISTS t (x)'
  refused 'no such table: main.training_sessions' "$work/other.db" "SELECT * FROM trainmon_points('a', 'b')"
}

# Whatever the bytes: an error or rows, never a crash; and an error where they can't be a chunk.
damage() {
  local at=0 bytes got code
  for bytes in "x''" "x'00'" "x'01'" "x'01ffffffffffffffffff7f'" "zeroblob(1000)" "substr(data, 1, length(data) / 2)" "CAST(data || x'00' AS BLOB)" "substr(data, 2)"; do
    cp "$store/trainmon.db" "$work/damaged.db"
    sqlite3 "$work/damaged.db" "UPDATE chunks SET data = $bytes WHERE rowid = (SELECT rowid FROM chunks ORDER BY rowid LIMIT 1 OFFSET 3)"
    refused 'chunk [0-9]* of writer 1 is damaged' "$work/damaged.db" "SELECT count(*) FROM trainmon_points('$id', '=odd,\"name\"'), (SELECT 1) UNION ALL
      SELECT count(*) FROM trainmon_points('$id', 'train/loss') UNION ALL SELECT count(*) FROM trainmon_points('$id', 'val/loss')"
  done
  cp "$store/trainmon.db" "$work/damaged.db"
  sqlite3 "$work/damaged.db" "INSERT INTO deltas (writer, seq, points, data) VALUES (1, 1000000, 1, x'01')"
  refused 'delta [0-9]* of writer 1 is damaged' "$work/damaged.db" "SELECT count(*) FROM trainmon_points('$id', 'train/loss')"
  # A view in the place of a table that asks for points itself: for a session, and for a chunk.
  rm -f "$work/damaged.db"
  sqlite3 "$work/damaged.db" ".load $plain" "CREATE VIEW training_sessions AS SELECT step AS key, 'a' AS id, 'a' AS session_name FROM trainmon_points('a', 'b')"
  refused 'asks trainmon_points for what' "$work/damaged.db" "SELECT * FROM trainmon_points('a', 'b')"
  cp "$store/trainmon.db" "$work/damaged.db"
  sqlite3 "$work/damaged.db" ".load $plain" "DROP TABLE chunks" "CREATE VIEW chunks AS SELECT 1 AS metric, 1 AS writer, 1 AS seq, step AS min_step,
    step AS max_step, x'00' AS data FROM trainmon_points('$id', 'train/loss')"
  refused 'asks trainmon_points for what' "$work/damaged.db" "SELECT * FROM trainmon_points('$id', 'train/loss')"
  # One that only reads points is as good as any.
  cp "$store/trainmon.db" "$work/damaged.db"
  sqlite3 "$work/damaged.db" ".load $plain" "CREATE VIEW losses AS SELECT step, value FROM trainmon_points('$id', 'train/loss')"
  [ "$(ask "$work/damaged.db" "SELECT count(*) FROM losses AS a JOIN losses AS b USING (step)")" = 30000 ] || die "a view of points does not work"
  for at in 3 9 40 200 700; do
    cp "$store/trainmon.db" "$work/damaged.db"
    sqlite3 "$work/damaged.db" "UPDATE chunks SET data = CAST(substr(data, 1, $at) || randomblob(4) || substr(data, $at + 5) AS BLOB)"
    code=0
    got=$(ask "$work/damaged.db" "SELECT count(*), sum(value), max(time) FROM trainmon_points('$id', 'train/loss')") || code=$?
    [ "$code" -lt 100 ] && ! grep -q Sanitizer <<<"$got" || die "bytes from $at on: $got"
  done
}

questions
damage
# Without what is not needed of the chunks a bound is quick: damage outside of it is not even seen.
cp "$store/trainmon.db" "$work/damaged.db"
sqlite3 "$work/damaged.db" "UPDATE chunks SET data = x'' WHERE min_step > 20000"
got=$(ask "$work/damaged.db" "SELECT count(*) FROM trainmon_points('$id', 'train/loss') WHERE step < 10000")
[ "$got" = 10000 ] || die "chunks outside of the bound were read: $got"

if [ -z "$runtime" ] && asan=$(cc -print-file-name=libasan.so) && [ -e "$asan" ]; then
  mapfile -t sources < <(grep -oE '(sqlext|series|util)/[a-z_]+\.c' lib/sqlext.cmake)
  extension=$work/trainmon_sqlite.so
  (cd lib && cc -std=gnu11 -g -O1 -fPIC -shared -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -I. -I../include -o "$extension" \
    "${sources[@]}" -Wl,--version-script=sqlext/exports.map -lm)
  preload=$(realpath "$asan")
  # The shell itself is not instrumented and leaves what it holds to the system.
  export ASAN_OPTIONS=detect_leaks=0
  questions
  damage
  echo "the same with an instrumented build"
fi
echo "trainmon_points gives what tmon_extract does"
