# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A trainer in a process of its own, through ctypes: trainer.py LIBRARY STORE [METRICS [PAUSE]]. Until it is killed it logs METRICS (1) values, then
pauses PAUSE seconds (0.02; 0 is full speed)."""
import ctypes
import sys
import time

DROPPED = -14
count = int(sys.argv[3]) if len(sys.argv) > 3 else 1
pause = float(sys.argv[4]) if len(sys.argv) > 4 else 0.02
library = ctypes.CDLL(sys.argv[1])
store, session = ctypes.c_void_p(), ctypes.c_void_p()
library.tmon_session_id.restype = ctypes.c_char_p
library.tmon_log.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64, ctypes.c_double]
assert library.tmon_store_open(ctypes.byref(store), sys.argv[2].encode(), None) == 0
assert library.tmon_session_start(ctypes.byref(session), store, None) == 0
metrics = [ctypes.c_uint32() for _ in range(count)]
for number, metric in enumerate(metrics):
    name = b"train/loss" if number == 0 else b"train/layer_%d/gradient_norm" % number
    assert library.tmon_session_metric(ctypes.byref(metric), session, name, None) == 0
print(library.tmon_session_id(session).decode(), flush=True)
for step in range(10**9):
    for metric in metrics:
        code = library.tmon_log(session, metric, step, time.time())
        # Full speed, or a disk that takes seconds, may fill the ring; then a point is dropped and counted.
        assert code in (0, DROPPED), code
    if pause > 0:
        time.sleep(pause)
