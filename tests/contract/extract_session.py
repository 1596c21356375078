# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A session with many points and what tmon_extract makes of it: extract_session.py LIBRARY STORE POINTS [FORMAT[=FILE]…]. Prints the session's id, then for each
format the SHA-256, size and number of lines of tmon_extract's output; FILE receives it."""
import ctypes
import hashlib
import sys

WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_void_p)


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("format", ctypes.c_int), ("what", ctypes.c_int), ("keys", ctypes.c_void_p), ("key_count", ctypes.c_size_t),
                ("exact_text", ctypes.c_bool)]


library = ctypes.CDLL(sys.argv[1])
points = int(sys.argv[3])
store, session, metric = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint32()
library.tmon_session_id.restype = ctypes.c_char_p
assert library.tmon_store_open(ctypes.byref(store), sys.argv[2].encode(), None) == 0
assert library.tmon_session_start(ctypes.byref(session), store, None) == 0
identity = library.tmon_session_id(session)
print(identity.decode(), flush=True)
BATCH = 20000
for name in (b"train/loss", b"=odd,\"name\"", b"val/loss"):
    assert library.tmon_session_metric(ctypes.byref(metric), session, name, None) == 0
    for first in range(0, points // 3, BATCH):
        count = min(BATCH, points // 3 - first)
        steps = (ctypes.c_int64 * count)(*range(first, first + count))
        values = (ctypes.c_double * count)(*(1 / (1 + step) for step in range(first, first + count)))
        code = library.tmon_log_series(session, metric, steps, None, values, ctypes.c_size_t(count))
        assert code == 0, code
        # All points together fill the ring several times over, and on a slow machine the drainer would be late.
        assert library.tmon_session_flush(session) == 0
assert library.tmon_session_finish(session, 2) == 0
for form in sys.argv[4:]:
    digest, size, lines = hashlib.sha256(), 0, 0
    form, _, path = form.partition("=")
    file = open(path, "wb") if path else None

    def write(data, length, _):
        global size, lines
        piece = ctypes.string_at(data, length)
        digest.update(piece)
        if file:
            file.write(piece)
        size += length
        lines += piece.count(b"\n")
        return 0

    options = Options(size=ctypes.sizeof(Options), format=int(form))
    assert library.tmon_extract(store, identity, ctypes.byref(options), WRITE(write), None) == 0
    if file:
        file.close()
    print(digest.hexdigest(), size, lines, flush=True)
library.tmon_session_free(session)
library.tmon_store_free(store)
