# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Files of others: opened so that none blocks, small ones read, hashed, found below a folder."""

from __future__ import annotations

import os
import stat

from trainmon.errors import TrainmonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

MAX_SMALL = 1 << 20


class SourceError(TrainmonError, ValueError):
    """A file that holds no history that can be read; the text names it."""


def open_file(path: str) -> Any:
    """Opens a regular file for reading bytes; SourceError for anything else, such as a pipe that would block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb", buffering=1 << 18)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise SourceError(f"{path}: not a regular file")
    return file


def read_small(path: str, limit: int = MAX_SMALL) -> str:
    """Reads a small text file; "" when there is none or it is larger."""
    try:
        with open_file(path) as file:
            data = file.read(limit + 1)
    except (OSError, SourceError):
        return ""
    return "" if len(data) > limit else data.decode("utf-8", "replace")


def hash_files(paths: Iterable[str]) -> str:
    """Gives a hash of the contents of files. OSError, SourceError."""
    import hashlib  # only where it is used

    total = hashlib.blake2b(digest_size=16)
    for path in paths:
        with open_file(path) as file:
            total.update(f"{os.path.basename(path)}:{os.fstat(file.fileno()).st_size}:".encode("utf-8", "surrogateescape"))
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def walk(path: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Gives the files below a folder (or the one that `path` is), sorted by folder and name; links to folders are not followed."""
    if not os.path.isdir(path):
        os.stat(path)
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            if wanted(name):
                yield os.path.join(folder, name)
