# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A trainer in a process of its own, through ctypes: trainer.py LIBRARY STORE. Logs 50 points a second until it is killed."""
import ctypes
import sys
import time

library = ctypes.CDLL(sys.argv[1])
store, session, metric = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint32()
library.tmon_session_id.restype = ctypes.c_char_p
library.tmon_log.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64, ctypes.c_double]
assert library.tmon_store_open(ctypes.byref(store), sys.argv[2].encode(), None) == 0
assert library.tmon_session_start(ctypes.byref(session), store, None) == 0
assert library.tmon_session_metric(ctypes.byref(metric), session, b"train/loss", None) == 0
print(library.tmon_session_id(session).decode(), flush=True)
for step in range(10**9):
    assert library.tmon_log(session, metric, step, time.time()) == 0
    time.sleep(0.02)
