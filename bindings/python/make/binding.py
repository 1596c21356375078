# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Writes the C source of trainmon._core, whose declarations are read from the public headers.

usage: binding.py INCLUDE_FOLDER OUTPUT.c
"""

import re
import sys
from pathlib import Path

import cffi

LEFT_OUT = {"export.h", "allocator.h", "server.h", "trainmon.h"}

CALLBACKS = """
extern "Python" int trainmon_alert(const tmon_alert *alert, void *payload);
extern "Python" int trainmon_backup(int64_t done, int64_t total, void *payload);
"""


def header_order(folder: Path) -> list[Path]:
    """Gives the headers so that each comes after those that it includes."""
    order: list[Path] = []

    def visit(path: Path) -> None:
        if path in order or path.name in LEFT_OUT:
            return
        for name in re.findall(r'^#include "([a-z_]+\.h)"$', path.read_text("utf-8"), re.M):
            visit(folder / name)
        order.append(path)

    for path in sorted(folder.glob("*.h")):
        visit(path)
    return order


def declarations(text: str) -> str:
    """Takes out what cffi does not read: comments, preprocessor lines, the export token and the braces of extern "C"."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?\n#endif\n", "", text, flags=re.S)
    text = re.sub(r"^#.*\n", "", text, flags=re.M)
    return text.replace("TMON_API ", "")


def main() -> None:
    """Generates."""
    folder, output = Path(sys.argv[1]) / "trainmon", sys.argv[2]
    ffi = cffi.FFI()
    for path in header_order(folder):
        ffi.cdef(declarations(path.read_text("utf-8")))
    ffi.cdef(CALLBACKS)
    ffi.set_source("trainmon._core", "#include <trainmon/trainmon.h>", py_limited_api=True)
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main()
