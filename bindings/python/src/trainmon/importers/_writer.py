# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What all importers share: a run that is made of a source's, the same one each time.

A source has an identity; its run has the id uuid5(identity), so that a second import finds the first. The last event of the run keeps a fingerprint of
what was read: same fingerprint, nothing to do; another or none, the run is made anew. The session is opened by the first thing read, and the earlier one
deleted only then, so that a source which has become unreadable costs nothing. Points are written by chunks; the importer commits by itself, so none is dropped.
"""

from __future__ import annotations

import json
import logging
import math
import os
import uuid
from array import array

from trainmon import _run as runs
from trainmon import values as conversion
from trainmon._core import ffi, lib
from trainmon._native import STATUSES, new_struct, to_bytes
from trainmon.errors import InvalidError, NotFoundError, check
from trainmon.image import Image
from trainmon.importers._files import SourceError
from trainmon.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

logger = logging.getLogger("trainmon")

CHUNK = 100_000  # points kept before they are written
RING_BYTES = 16 << 20  # holds more than a chunk
MAX_NAMES = 10_000
MAX_TEXTS = 1_000
MAX_PROBLEMS = 20
MAX_IMAGE = 16 << 20
MAX_IMAGES_WAITING = 4  # between commits
MAX_JSON = 1 << 20
MAX_YEAR_SECONDS = 253_402_300_799  # of the year 9999
INT64 = 2**63
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "trainmon:import")


class Source:
    """One run of a source: `kind` (of SOURCES), `path` for messages, `identity` that stays the same, `size` in whatever `progress` counts."""

    kind = ""

    def __init__(self, path: Any, identity: str, name: str, size: int = 0) -> None:
        """Keeps what is known before anything is read."""
        self.path, self.identity, self.name, self.size = os.fspath(path), identity, name, size
        self.id = id_of(self.kind, identity)

    def fingerprint(self) -> str:
        """Gives a text that changes when the source does. OSError, SourceError."""
        raise NotImplementedError

    def read(self, writer: Writer) -> None:
        """Hands all it holds to the writer. OSError, SourceError: nothing can be read; a later damage is writer.problem."""
        raise NotImplementedError


class Writer:
    """The run that is being made. Set `config`, `tags`, `notes`, `status`, `error`, `started` and `completed` (microseconds) at any time before the end."""

    def __init__(self, store: Store, source: Source, fingerprint: str, tell: Callable[[int, str], None]) -> None:
        """Opens nothing yet."""
        self.source, self.name = source, source.name
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.fields: dict[str, Any] = {}
        self.tags: list[str] = []
        self.notes = ""
        self.status, self.error = "completed", ""
        self.started = self.completed = self.first_time = self.last_time = 0
        self.problems: list[str] = []
        self.points = 0
        self.done = 0  # of source.size
        self._store, self._fingerprint, self._tell = store, fingerprint, tell
        self._run: Any = None
        self._metrics: dict[str, int] = {}
        self._buffers: dict[str, tuple[Any, Any, Any]] = {}
        self._waiting = self._images = self._texts = 0

    # What a source hands over

    def open(self) -> Any:
        """Gives the run, made now if it was not; the earlier one goes."""
        if self._run is None:
            if find(self._store, self.source.id) is not None:
                self._store.delete(self.source.id)
            options = new_struct("tmon_session_options", id=self.source.id, name=clean(self.name, 4000), config_json="{}", hardware_json="{}", no_drainer=True,
                                 ring_bytes=RING_BYTES)
            self._run = runs.start(self._store, options, name=self.name, config=None)
            self._run.set_alert_rules([])  # what happened long ago alarms nobody
        return self._run

    def point(self, name: str, step: int, microseconds: int, value: float) -> None:
        """Takes one point; written with its chunk."""
        buffers = self._buffers.get(name)
        if buffers is None:
            if len(self._buffers) >= MAX_NAMES:
                self.problem(f"{self.source.path}: more than {MAX_NAMES} names: the others are left out")
                return
            buffers = self._buffers[name] = (array("q"), array("q"), array("d"))
        if not -INT64 <= step < INT64:
            self.problem(f"{self.source.path}: step {step} of {name!r:.100} is out of range: left out")
            return
        if microseconds <= 0:
            microseconds = self.last_time
        elif microseconds > self.last_time:
            self.last_time = microseconds
        if not self.first_time or 0 < microseconds < self.first_time:
            self.first_time = microseconds
        buffers[0].append(step)
        buffers[1].append(microseconds)
        buffers[2].append(value)
        self._waiting += 1
        if self._waiting >= CHUNK:
            self.flush()

    def epoch(self, epoch: int, microseconds: int, numbers: dict[str, float]) -> None:
        """Takes the row of an epoch; no points of it are made. `commit` after some."""
        self.first_time = min(self.first_time or microseconds, microseconds)
        self.last_time = max(self.last_time, microseconds)
        self.open().log_epoch(epoch, numbers)

    def commit(self) -> None:
        """Writes and commits all that was taken so far."""
        self.flush()
        check(lib.tmon_session_flush(self.open()._session))

    @property
    def empty(self) -> bool:
        """True while nothing was taken."""
        return self._run is None and not self._waiting

    def text(self, name: str, text: str, step: int, microseconds: int = 0) -> None:
        """Takes a text; an event of the kind "text"."""
        self._texts += 1
        if self._texts > MAX_TEXTS:
            self.problem(f"{self.source.path}: more than {MAX_TEXTS} texts: the others are left out")
            return
        data = {"name": name[:250], "time": microseconds}
        self.open().event("text", clean(f"{name}: {text}", 1000), data, step if -INT64 < step < INT64 else None)

    def image(self, name: str, data: bytes, step: int, caption: str | None = None) -> None:
        """Takes an encoded picture; the store keeps the latest of each name."""
        if not data or len(data) > MAX_IMAGE:
            self.problem(f"{self.source.path}: a picture of {name!r:.100} has {len(data)} bytes: left out")
            return
        self.open().log_image(clean_name(name), Image(data, None if caption is None else clean(caption, 1000)), step=step if -INT64 < step < INT64 else None)
        self._images += 1
        if self._images % MAX_IMAGES_WAITING == 0:
            check(lib.tmon_session_flush(self.open()._session))

    def problem(self, text: str) -> None:
        """Remembers what could not be read, each text once; the end of the import warns of it, or its error says it."""
        if text not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    def flush(self) -> None:
        """Writes and commits the points kept so far."""
        if self._waiting:
            session = self.open()._session
            for name, (steps, times, numbers) in self._buffers.items():
                if numbers:
                    metric = self._metric(session, name)
                    arrays = [ffi.from_buffer(f"{kind}[]", data) for kind, data in (("int64_t", steps), ("int64_t", times), ("double", numbers))]
                    check(lib.tmon_log_series(session, metric, *arrays, len(numbers)))
                    self.points += len(numbers)
                    self._buffers[name] = (array("q"), array("q"), array("d"))
            check(lib.tmon_session_flush(session))
            self._waiting = 0
        self._tell(self.done, f"{self.name}: {self.points} points")

    def _metric(self, session: Any, name: str) -> int:
        metric = self._metrics.get(name)
        if metric is None:
            out = ffi.new("tmon_metric *")
            check(lib.tmon_session_metric(out, session, clean_name(name).encode(), ffi.NULL))
            metric = self._metrics[name] = out[0]
        return metric

    # The end

    def finish(self) -> None:
        """Writes the rest and ends the run as its source ended. SourceError: there was nothing."""
        self.flush()
        if self._run is None:
            raise SourceError("; ".join(self.problems) or f"{self.source.path}: nothing in it that could be imported")
        self._write_summary()
        check(lib.tmon_session_flush(self._run._session))
        if self.error:
            lib.tmon_session_set_error(self._run._session, clean(self.error, 4000).encode())
        check(lib.tmon_session_finish(self._run._session, STATUSES.index(self.status)))
        self._run.finished = True
        self._write_row()
        said = f"imported from {self.source.kind}" + (f"; not all could be read: {self.problems[0]}" if self.problems else "")
        data = {"source": self.source.path, "fingerprint": self._fingerprint, "points": self.points, "problems": self.problems}
        self._run.event("import", clean(said, 1000), data)  # the last word: without it the import was cut short

    def _write_summary(self) -> None:
        """Numbers that only the summary says become a point each too, so that they are among the last values."""
        step = max((entry["step"] for entry in self._store.metrics(self.source.id).values()), default=0)
        for name, value in conversion.flatten(self.summary):
            number = conversion.to_number(value)
            if number is not None and name not in self._buffers:
                self.point(name, step, self.completed or self.last_time, number)
        self.flush()

    def _write_row(self) -> None:
        config = to_json(self.config)
        if len(config.encode("utf-8", "replace")) > MAX_JSON:
            self.problem(f"{self.source.path}: the settings take more than {MAX_JSON} bytes: left out")
            config = "{}"
        started = self.started or self.first_time
        tags = json.dumps(list(dict.fromkeys(clean(tag, 64) for tag in ["imported", f"from:{self.source.kind}", *self.tags] if tag))[:64])
        summary = to_json(self.summary)
        change = new_struct("tmon_record_change", name=clean(self.name, 4000), config_json=config, tags_json=tags, notes=clean(self.notes, 60_000) or None,
                            summary_json=summary if self.summary and len(summary.encode("utf-8", "replace")) <= MAX_JSON else None,
                            started_at=started, completed_at=max(self.completed or self.last_time, started), **self.fields)
        for name in ("learning_rate", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss"):
            setattr(change, name, math.nan)
        check(lib.tmon_record_update(self._store.handle, self.source.id.encode(), change))

    def abandon(self) -> None:
        """Takes back what was made."""
        if self._run is not None:
            if not self._run.finished:
                lib.tmon_session_finish(self._run._session, STATUSES.index("cancelled"))
                self._run.finished = True
            self._store.delete(self.source.id)


def import_sources(sources: Iterable[Source], store: Any, progress: Callable[[int, int, str], Any] | None, force: bool) -> list[str]:
    """Imports each source and gives the ids of the runs made. One that can't be read is a warning, or the error where nothing can be."""
    opened = store if isinstance(store, Store) else Store(store)
    todo, made, kept = list(sources), [], 0
    failed: list[Exception] = []
    total, before = sum(source.size for source in todo), 0
    for source in todo:
        def tell(done: int, text: str, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total, text)

        try:
            if _import_one(source, opened, tell, force):
                made.append(source.id)
            else:
                kept += 1
        except (SourceError, OSError) as error:
            failed.append(error)
        before += source.size
        if progress is not None:
            progress(before, total, f"{len(made)} imported, {kept} unchanged")
    for failure in failed if made or kept else failed[1:]:
        logger.warning("import: %s", failure)
    if failed and not made and not kept:
        raise failed[0]
    return made


def _import_one(source: Source, store: Store, tell: Callable[[int, str], None], force: bool) -> bool:
    fingerprint = source.fingerprint()
    earlier = find(store, source.id)
    if not force and earlier is not None and _read_fingerprint(store, source.id) == fingerprint:
        logger.info("import: %s is unchanged: nothing to do", source.path)
        tell(0, f"{source.name}: unchanged")
        return False
    writer = Writer(store, source, fingerprint, tell)
    try:
        source.read(writer)
        writer.finish()
    except InvalidError as error:  # what a file says and a store does not take
        writer.abandon()
        raise SourceError(f"{source.path}: {error}") from error
    except BaseException as error:
        writer.abandon()
        said = str(error)
        for text in writer.problems:
            if text not in said:
                logger.warning("import: %s", text)
        raise
    for text in writer.problems:
        logger.warning("import: %s", text)
    return True


def _read_fingerprint(store: Store, id: str) -> str | None:
    for event in reversed(store.events(id)):
        data = event.get("data")
        data = json.loads(data) if isinstance(data, str) else data
        if isinstance(data, dict) and "fingerprint" in data:
            return str(data["fingerprint"])
    return None


def id_of(kind: str, identity: str) -> str:
    """Gives the id of the run that is made of a source's."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}:{identity}"))


def find(store: Store, id: str) -> Any:
    """Gives the record of a run, or None."""
    try:
        return store.run(id)
    except NotFoundError:
        return None


# Values that files say


def clean(text: str, limit: int) -> str:
    """Gives a text without control characters and lone surrogates, of at most `limit` bytes as UTF-8."""
    text = "".join(" " if (ord(letter) < 32 and letter not in "\n\t") or letter == "\x7f" else letter for letter in text[:limit])
    return to_bytes(text, limit).decode()


def clean_name(name: str) -> str:
    """Gives a name that a metric may have: 1 to 250 bytes without control characters."""
    return clean(name, 250).replace("\n", " ").replace("\t", " ") or "unnamed"


def to_microseconds(seconds: Any) -> int:
    """Gives seconds since 1970 as microseconds; 0 for what is no time."""
    number = conversion.to_number(seconds)
    if number is None or not 0 < number <= MAX_YEAR_SECONDS:
        return 0
    return round(number * 1_000_000)


def parse_scalar(text: str) -> Any:
    """Gives a text as the bool, None, integer or float that it says, else as it is."""
    words = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 100 and "_" not in text else text
        except ValueError:
            pass
    return text


def to_json(value: Any) -> str:
    """Gives a value as JSON text that the store takes: no zero in its texts."""
    return json.dumps(_without_zeros(conversion.to_plain(value)), ensure_ascii=False)


def _without_zeros(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", " ")
    if isinstance(value, dict):
        return {key.replace("\0", " "): _without_zeros(entry) for key, entry in value.items()}
    return [_without_zeros(entry) for entry in value] if isinstance(value, list) else value


def parse_json(text: str | bytes) -> Any:
    """Parses JSON of others; ValueError whatever is wrong with it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
