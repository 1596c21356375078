#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Checks the documentation: links and anchors resolve, every public function has its place in docs/reference/api.md, the README's program works.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - <<'PYTHON'
import pathlib
import re
import sys

FENCE = re.compile(r"^```.*?^```", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
pages = [pathlib.Path("README.md"), pathlib.Path("CHANGELOG.md"), *sorted(pathlib.Path("docs").rglob("*.md"))]
problems = []


def anchors(path):
    """As GitHub makes them from headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)).lower().replace(" ", "-") for title in titles}


links = 0
for page in pages:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        links += 1
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            problems.append(f"{page}: {target} does not exist")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            problems.append(f"{page}: {target}: no such heading")
if links == 0:
    problems.append("no link was found: the check itself is broken")

api = pathlib.Path("docs/reference/api.md").read_text(encoding="utf-8")
functions = set()
for header in pathlib.Path("include/trainmon").glob("*.h"):
    functions |= set(re.findall(r"^TMON_API\s[^;(]*?\b(tmon_\w+)\(", header.read_text(encoding="utf-8"), re.M))
problems += [f"docs/reference/api.md: {name} is missing" for name in sorted(functions) if f"\n### {name}\n" not in api]

errors = pathlib.Path("docs/reference/errors.md").read_text(encoding="utf-8")
codes = re.findall(r"^  (TMON_[A-Z]+) = ", pathlib.Path("include/trainmon/error.h").read_text(encoding="utf-8"), re.M)
problems += [f"docs/reference/errors.md: {code} is missing" for code in codes if f"| `{code}` |" not in errors]

print("\n".join(problems) if problems else f"{len(pages)} pages, {links} links, {len(functions)} functions, {len(codes)} codes")
sys.exit(bool(problems))
PYTHON

if ! docs/make-reference --print | diff -u docs/reference/api.md - >"$work/difference"; then
  head -n 40 "$work/difference"
  echo "docs/reference/api.md is not what the headers say; run docs/make-reference"
  exit 1
fi

# The first C block of the README and of the guide, compiled and run as a reader would.
build=$(realpath -m "${BUILD:-build/dev}")
if [ ! -f "$build/CMakeCache.txt" ]; then
  echo "the programs in the pages were not run: $build is not built"
  exit 77
fi
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
library=$(dirname "$(find "$work/prefix" -name 'libtrainmon.so' -print -quit)")
export LD_LIBRARY_PATH=$library PKG_CONFIG_PATH=$library/pkgconfig
read -ra flags < <(pkg-config --cflags --libs trainmon)
for page in README.md docs/guide/getting-started.md; do
  folder=$work/$(basename "$page" .md)
  mkdir "$folder"
  # Each C block that is a whole program; together they make what the page promises.
  awk -v folder="$folder" '/^```c$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > (folder "/" n ".c") }' "$page"
  for program in "$folder"/*.c; do
    grep -q 'int main' "$program" || { echo "$page: block $(basename "$program" .c) is no whole program"; exit 1; }
    cc -std=c11 -Wall -Wextra -Werror "$program" -o "${program%.c}" "${flags[@]}" || { echo "$page: does not compile"; exit 1; }
    (cd "$folder" && "${program%.c}") >"${program%.c}.out" || { echo "$page: program $(basename "$program" .c) failed"; exit 1; }
  done
  # On a slow machine the end may miss its 100 ms; then the next program that opens the store completes the session.
  (cd "$folder" && ./1)
  rows=$(sqlite3 -readonly "$folder/runs/trainmon.db" "SELECT count(*) FROM training_sessions WHERE status = 'completed'")
  [ "$rows" -ge 1 ] || { echo "$page: its program left no completed session"; exit 1; }
done
grep -q '^train/loss' "$work/getting-started/2.out" || { echo "docs/guide/getting-started.md: reading back printed nothing"; exit 1; }
echo "the programs of the README and the guide work"
