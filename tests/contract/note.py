# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""An alert of a program, through ctypes: note.py LIBRARY STORE SESSION TITLE [TEXT SEVERITY STEP]. Prints its number."""
import ctypes
import sys


class Note(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("title", ctypes.c_char_p), ("text", ctypes.c_char_p), ("severity", ctypes.c_char_p), ("step", ctypes.c_int64)]


library = ctypes.CDLL(sys.argv[1])
store, number = ctypes.c_void_p(), ctypes.c_int64()
text, severity, step = sys.argv[5:8] if len(sys.argv) > 5 else (None, None, -2**63)
note = Note(ctypes.sizeof(Note), sys.argv[4].encode(), text and text.encode(), severity and severity.encode(), int(step))
assert library.tmon_store_open(ctypes.byref(store), sys.argv[2].encode(), None) == 0
assert library.tmon_alert_add(ctypes.byref(number), store, sys.argv[3].encode(), ctypes.byref(note)) == 0
library.tmon_store_free(store)
print(number.value)
