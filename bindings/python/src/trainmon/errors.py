# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Exceptions, one for each kind of error of the library that a caller can act on."""

from __future__ import annotations

from trainmon._core import ffi, lib


class TrainmonError(Exception):
    """An error of the library: `code` is its number, `name` its name (docs/reference/errors.md), `field` what it is about, or None."""

    def __init__(self, message: str, code: int = 0, field: str | None = None) -> None:
        """Keeps the text, the number and the field."""
        super().__init__(message)
        self.code = code
        self.field = field

    @property
    def name(self) -> str:
        """The name of the code, such as "TMON_EBUSY"."""
        return ffi.string(lib.tmon_error_name(self.code)).decode()


class InvalidError(TrainmonError, ValueError):
    """An argument is not allowed; nothing was changed."""


class NotFoundError(TrainmonError, LookupError):
    """No such store, run, metric or row."""


class BusyError(TrainmonError, TimeoutError):
    """Another process holds the lock and did not release it in time."""


class StateError(TrainmonError, RuntimeError):
    """Not allowed in the present state, such as logging to a finished run."""


class AccessError(TrainmonError, PermissionError):
    """The store can't be written, or may not be."""


_CLASSES: dict[int, type[TrainmonError]] = {
    lib.TMON_EINVAL: InvalidError,
    lib.TMON_ENOTFOUND: NotFoundError,
    lib.TMON_EBUSY: BusyError,
    lib.TMON_ESTATE: StateError,
    lib.TMON_EACCESS: AccessError,
    lib.TMON_EREADONLY: AccessError,
}


def check(code: int) -> int:
    """Raises what a negative code means, with the text of the library; gives the code back otherwise."""
    if code < 0:
        if code == lib.TMON_ENOMEM:
            raise MemoryError(last_message())
        field = lib.tmon_error_field()
        raise _CLASSES.get(code, TrainmonError)(last_message(), code, None if field == ffi.NULL else ffi.string(field).decode())
    return code


def last_message() -> str:
    """Gives the text of the last error on this thread."""
    return ffi.string(lib.tmon_error_message()).decode("utf-8", "replace")
