#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Breaks each rule of tests/structure in a tree of its own and expects exactly the problems it should name.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
# A hook of git tells its children of the repository that it is for.
unset $(git rev-parse --local-env-vars)
git init -q .
mkdir -p include/trainmon lib/{util,series,store,track,serve} tests examples/x

banner() { printf '/* SPDX-License-Identifier: MIT */\n/* SPDX-FileCopyrightText: libtrainmon contributors */\n/* A file. */\n'; }
file() { { banner; cat; } >"$1"; }

file include/trainmon/trainmon.h <<'C'
#include "good.h"
C
file include/trainmon/good.h <<'C'
/** A thing. */
typedef struct tmon_good { int size; } tmon_good;
/** Does it: strcpy( in a comment is fine, ... too. */
TMON_API int tmon_good_do(tmon_good *good);
C
file include/trainmon/server.h <<'C'
C
file include/trainmon/bad.h <<'C'
typedef struct tmon_bad tmon_bad;
TMON_API int tmon_bad_say(tmon_bad *bad, ...);
/* not a public comment */
TMON_API time_t tmon_bad_time(FILE *file);
/** Fine. */
static inline int tmon_bad_body(void) { return 0; }
int tmon_bad_hidden(void);
C
file lib/util/text.c <<'C'
#include "trainmon/good.h"
#include "store/store.h"
static const char *text = "sprintf(";
void f(char *a, const char *b) { strcpy(a, b); }
void *g(void) { return malloc(1); }
#ifdef __linux__
#endif
C
file lib/util/os_linux.c <<'C'
#include <sys/mman.h>
#ifdef __linux__
#endif
C
file lib/series/ring.c <<'C'
#include "util/buffer.h"
#include "store/store.h"
#include <sqlite3.h>
C
file lib/store/db.c <<'C'
#include "series/ring.h"
#include "track/session.h"
#include <sqlite3.h>
C
file lib/track/session.c <<'C'
#include "store/store.h"
#include "trainmon/server.h"
#include <sys/mman.h>
C
file lib/serve/routes.c <<'C'
#include "trainmon/server.h"
#include "util/json.h"
#include "series/ring.h"
#include <libwebsockets.h>
#include <cjson/cJSON.h>
C
file lib/serve/http_lws.c <<'C'
#include <libwebsockets.h>
C
file examples/x/main.c <<'C'
#include "util/buffer.h"
#include <check.h>
C
printf 'int no_banner;\n' >lib/util/bare.c
{ banner; printf 'int short_one(void) {\n'; yes '  ;' | head -n 58 || true; printf '}\nint long_one(void) {\n'; yes '  ;' | head -n 59 || true; printf '}\n'; } >lib/util/long.c
{ banner; yes '' | head -n 597 || true; } >lib/util/just.c
{ banner; yes '' | head -n 598 || true; } >lib/util/much.c

cat >expected <<'T'
examples/x/main.c:4: examples may use public headers only, not util/buffer.h
examples/x/main.c:5: check.h may be included only in tests/ and examples/[^/]+/test/
include/trainmon/bad.h:4: typedef struct tmon_bad tmon_bad has no /** */ comment
include/trainmon/bad.h:5: public headers hold no varargs
include/trainmon/bad.h:5: tmon_bad_say has no /** */ comment
include/trainmon/bad.h:7: public headers hold no FILE *
include/trainmon/bad.h:7: public headers hold no time_t
include/trainmon/bad.h:7: tmon_bad_time has no /** */ comment
include/trainmon/bad.h:9: public headers hold no bodies, found that of tmon_bad_body
include/trainmon/bad.h:9: public headers hold no inline
include/trainmon/bad.h:10: tmon_bad_hidden lacks TMON_API
include/trainmon/trainmon.h:1: does not include bad.h
lib/series/ring.c:5: lib/series may not use lib/store (allowed: util)
lib/series/ring.c:6: sqlite3.h may be included only in lib/store/ and tests/
lib/serve/routes.c:6: lib/serve may not use lib/series (allowed: util)
lib/serve/routes.c:7: libwebsockets.h may be included only in lib/serve/(http|lws)[^/]*\.[ch]
lib/serve/routes.c:8: cjson/cJSON.h may be included only in lib/util/json[^/]*\.c
lib/store/db.c:5: lib/store may not use lib/track (allowed: series, util)
lib/track/session.c:5: lib/track may not use trainmon/server.h: it belongs to lib/serve
lib/track/session.c:6: sys/mman.h belongs into lib/util/os_*.c
lib/util/bare.c:1: expected the banner line 'SPDX-License-Identifier: MIT'
lib/util/long.c:64: long_one has 61 lines, at most 60 are allowed
lib/util/much.c:601: the file has 601 lines, at most 600 are allowed
lib/util/text.c:5: lib/util may not use lib/store (allowed: nothing of ours)
lib/util/text.c:7: strcpy is banned
lib/util/text.c:8: malloc is not ours: use tmon_alloc, tmon_free and the like
lib/util/text.c:9: __linux__ belongs into lib/util/os_*.c
T
code=0
"$here/tests/structure" --root "$tree" >found 2>/dev/null || code=$?
diff expected found || { echo "tests/structure does not name what it should"; exit 1; }
[ "$code" = 1 ] || { echo "tests/structure exited with $code, expected 1"; exit 1; }
echo "tests/structure names all $(wc -l <expected) planted problems"
