# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A store: the folder that holds the history of trainings, and how to read it."""

from __future__ import annotations

import datetime
import json
import os

from trainmon._core import ffi, lib
from trainmon._native import CONTROLS, STATUSES, json_call, new_struct, to_bytes, to_text
from trainmon.arguments import meant
from trainmon.errors import InvalidError, NotFoundError, StateError, check
from trainmon.series import Series, read_points
from trainmon.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from trainmon.follow import Follow

ID_LENGTH = 36
MAX_LISTED = 10  # names in a message
MAX_TAIL = 100_000
DEFAULT_FOLDER = "trainmon"
TIMES = ("created_at", "started_at", "completed_at", "updated_at", "heartbeat_at")
JSON = {"config_json": "config", "hardware_json": "hardware", "tags_json": "tags", "summary_json": "summary"}
RESULTS = ("validation_results", "confusion_matrices", "benchmarks", "datasets", "hyperparameter_runs")


def default_folder() -> str:
    """Gives the store that is meant when none is named: $TRAINMON_DIR, else that of a recipe, else ./trainmon."""
    return os.environ.get("TRAINMON_DIR") or os.environ.get("TRAINMON_STORE") or DEFAULT_FOLDER


class Record:
    """One run as the store and its live ring show it. Fields as in docs/reference/api.md (tmon_record): times are datetimes, what is missing is None."""

    def __init__(self, struct: Any) -> None:
        """Copies a C record."""
        for name, field in ffi.typeof("tmon_record").fields:
            value = getattr(struct, name)
            if name in JSON:
                text = to_text(value)
                setattr(self, JSON[name], None if text is None else json.loads(text))
            elif name in TIMES:
                setattr(self, name, to_time(value))
            elif name == "progress":
                self.progress = {key: getattr(value, key) for key, _ in ffi.typeof("tmon_progress").fields if key != "size"}
            elif field.type.kind == "pointer":
                setattr(self, name, to_text(value))
            elif name == "best_epoch":
                self.best_epoch = None if value < 0 else value
            else:
                setattr(self, name, None if value != value else value)
        self.status = STATUSES[struct.status]
        self.control = CONTROLS[struct.control]
        self.tags = getattr(self, "tags", None) or []

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __repr__(self) -> str:
        """Shows name, id and status."""
        return f"<trainmon.Record {self.name!r} {self.id} {self.status}>"

    def to_dict(self) -> dict[str, Any]:
        """Gives the fields as JSON can say them."""
        return {name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime.datetime) else value for name, value in vars(self).items()}


def to_time(microseconds: int) -> datetime.datetime | None:
    """Gives a time of the library as a datetime in UTC; None for 0, and outside of the years 1 to 9999."""
    if not microseconds:
        return None
    try:
        return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=microseconds)
    except OverflowError:
        return None


class Store:
    """An open store: `trainmon.Store("runs")`. Any thread may use it. Closed by `close`, a `with` block or when it is no longer used."""

    def __init__(self, path: Any = None, *, read_only: bool = False, must_exist: bool = False, ring_folder: str | None = None, lock_timeout: float = 0) -> None:
        """Opens the store at a folder (None: the default one), made when missing. NotFoundError, AccessError, BusyError, TrainmonError."""
        options = new_struct("tmon_store_options", read_only=read_only, must_exist=must_exist, ring_folder=ring_folder,
                             lock_timeout_ms=int(lock_timeout * 1000))
        out = ffi.new("tmon_store **")
        check(lib.tmon_store_open(out, os.fsencode(default_folder() if path is None else path), options))
        self.handle: Any = ffi.gc(out[0], lib.tmon_store_free)
        self.closed = False
        self.path = self.info()["path"]

    def info(self) -> dict[str, Any]:
        """Gives path, journal, schema_version, sessions, database_bytes and so on."""
        info = ffi.new("tmon_store_info *")
        check(lib.tmon_store_get_info(info, self.opened()))
        values = {name: getattr(info, name) for name, _ in ffi.typeof("tmon_store_info").fields}
        return {name: to_text(value) if isinstance(value, ffi.CData) else value for name, value in values.items()}

    def opened(self) -> Any:
        """Gives the C store. StateError: it was closed."""
        if self.closed:
            raise StateError(f"the store {self.path} was closed", lib.TMON_ESTATE)
        return self.handle

    def close(self) -> None:
        """Closes the store: its methods raise StateError from now on. Its runs keep it open for themselves until they are gone; a second call does nothing."""
        self.closed = True
        # What owns it is dropped, not released: a call of another thread ends first. Runs go on by the plain pointer, since their sessions hold the store.
        self.handle = ffi.cast("tmon_store *", self.handle)

    def __enter__(self) -> Store:
        """Gives the store itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Closes the store."""
        self.close()

    def recover(self) -> int:
        """Takes over what dead trainers left; gives how many runs changed their status."""
        adopted = ffi.new("size_t *")
        check(lib.tmon_store_recover(self.opened(), 0, adopted))
        return int(adopted[0])

    # Runs

    def runs(self, *, limit: int = 50, offset: int = 0, status: str | None = None, active: bool = False, text: str | None = None, tag: str | None = None,
             project: str | None = None, model_type: str | None = None, dataset_name: str | None = None, parent_id: str | None = None, sort: str = "created_at",
             ascending: bool = False) -> list[Record]:
        """Lists runs, newest first. `text` looks into names, notes, models, data sets and tags; `limit` is at most 1,000."""
        if status is not None and status not in STATUSES:
            raise ValueError(f"status is {status!r}, expected one of {', '.join(STATUSES)}")
        options = new_struct("tmon_record_filter", limit=limit, offset=offset, by_status=status is not None, active=active, text=text,
                          status=None if status is None else STATUSES.index(status), tag=project_tag(project) if project else tag, model_type=model_type,
                          dataset_name=dataset_name, parent_id=parent_id, ascending=ascending, sort=_choice("SORT", "sort", sort))
        return list(self._records(options))

    def _records(self, options: Any) -> Iterator[Record]:
        out = ffi.new("tmon_record_list **")
        check(lib.tmon_record_list_open(out, self.opened(), options))
        records, record = ffi.gc(out[0], lib.tmon_record_list_free), ffi.new("tmon_record *")
        while check(lib.tmon_record_list_next(records, record)) != lib.TMON_DONE:
            yield Record(record)

    def run(self, id: str) -> Record:
        """Reads one run by its id, the start of its id (4 letters or more), or its name when only one has it. NotFoundError.

        The other methods take the same for the `id` of a run, but `delete`, which takes a whole id.
        """
        if not isinstance(id, str):
            raise InvalidError(f"id is {shown(id)}, expected the id of a run, the start of one or a name", lib.TMON_EINVAL, "id")
        for record in self._records(new_struct("tmon_record_filter", id=id)) if len(id) == ID_LENGTH else ():
            return record
        found = [record for record in self.all_runs() if record.id.startswith(id.lower())] if len(id) >= 4 else []
        found = found or [record for record in self.runs(limit=1000, text=id) if record.name == id]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFoundError(f"{len(found)} runs are called {id!r}: give the id of one", lib.TMON_ENOTFOUND, "id")
        hint = meant(id, (record.name or "" for record in self.all_runs()))
        raise NotFoundError(f"no run {id!r} in {self.path}{hint}", lib.TMON_ENOTFOUND, "id")

    def _id(self, id: str) -> bytes:
        """Gives the whole id of a run that `run` finds; a whole one is not looked up."""
        return id.encode() if isinstance(id, str) and len(id) == ID_LENGTH and id.count("-") == 4 else self.run(id).id.encode()

    def _text_id(self, id: str | None) -> str | None:
        return None if id is None else self._id(id).decode()

    def _missing(self, error: NotFoundError, id: str, name: str) -> NotFoundError:
        """Gives what is raised for a metric that is not there, with the name that was meant or the names there are."""
        known = [] if "no metric" not in str(error) else [key for key in self.metrics(id) if key != name]
        listed = f"; it has {', '.join(known[:MAX_LISTED])}{' …' if len(known) > MAX_LISTED else ''}" if known else ""
        return NotFoundError(f"{error}{meant(name, known) or listed}", error.code, error.field)

    def all_runs(self) -> Iterator[Record]:
        """Gives every run, newest first, read in parts: one that starts or goes meanwhile may be missed or come twice."""
        offset, part = 0, self.runs(limit=1000)
        while part:
            yield from part
            offset += len(part)
            part = self.runs(limit=1000, offset=offset) if len(part) == 1000 else []

    def delete(self, id: str) -> None:
        """Deletes a run, by its whole id, and all that belongs to it. StateError: it is live."""
        check(lib.tmon_record_delete(self.opened(), id.encode()))

    def request(self, id: str, control: str) -> None:
        """Asks a live run to "run", "pause" or "stop"."""
        if control not in CONTROLS:
            raise ValueError(f'control is {control!r}, expected "run", "pause" or "stop"')
        check(lib.tmon_record_request(self.opened(), self._id(id), CONTROLS.index(control)))

    # What a run holds

    def metrics(self, id: str) -> dict[str, dict[str, Any]]:
        """Gives for each name that was logged: count, last, step, time."""
        out = ffi.new("tmon_metric_list **")
        check(lib.tmon_metric_list_open(out, self.opened(), self._id(id)))
        metrics, info, found = ffi.gc(out[0], lib.tmon_metric_list_free), ffi.new("tmon_metric_info *"), {}
        while check(lib.tmon_metric_list_next(metrics, info)) != lib.TMON_DONE:
            found[ffi.string(info.key).decode()] = {"count": info.count, "last": info.last.value, "step": info.last.step, "time": info.last.time}
        return found

    def points(self, id: str, name: str) -> Any:
        """Reads all points of a metric, in order of arrival, as a numpy array with the fields step, time (microseconds), value; else a list of tuples.

        Of a run that was resumed the points of every attempt are there, those too that a later attempt superseded, which `series` and the page hide.
        """
        try:
            return read_points(self.opened(), self._id(id), name)
        except NotFoundError as error:
            raise self._missing(error, id, name) from None

    def series(self, id: str, name: str, *, width: int = 1000, axis: str = "step", start: int | None = None, end: int | None = None) -> Series:
        """Reads a metric in at most `width` exact buckets over steps or times."""
        try:
            return Series(self.opened(), self._id(id), name, width=width, axis=axis, start=start, end=end)
        except NotFoundError as error:
            raise self._missing(error, id, name) from None

    def dataframe(self, id: str | Sequence[str], names: Sequence[str] | None = None, *, axis: str = "step") -> Any:
        """Gives all points as a pandas DataFrame: a column a metric, a row a step, or a time with `axis="time"`; of several points of a row the last.

        Of several ids the columns have two levels, run and metric. `names`: the metrics, None for all; NotFoundError: no run has one. Missing points are NaN.
        Points of every attempt count, as in `points`: where a resumed run did not come as far as the attempt before, the last rows are of that one.
        """
        from trainmon.frames import make_frame  # only where pandas is used

        if axis not in ("step", "time"):
            raise ValueError(f'axis is {axis!r}, expected "step" or "time"')
        columns: dict[Any, Any] = {}
        found: set[str] = set()
        for one in [id] if isinstance(id, str) else id:
            known = self.metrics(one)
            for name in known if names is None else [name for name in names if name in known]:
                columns[name if isinstance(id, str) else (one, name)] = self.points(one, name)
                found.add(name)
        missing = [name for name in names or () if name not in found]
        if missing:
            hint = meant(missing[0], {name for one in ([id] if isinstance(id, str) else id) for name in self.metrics(one)})
            raise NotFoundError(f"no metric {', '.join(missing)} in {id if isinstance(id, str) else 'any of the runs'}{hint}", lib.TMON_ENOTFOUND)
        return make_frame(columns, axis)

    def epochs(self, id: str) -> list[dict[str, Any]]:
        """Gives the epoch rows: the columns of `training_metrics` and `extra`."""
        return json_call(lib.tmon_record_epochs_json, self.opened(), self._id(id), -1)

    def events(self, id: str, limit: int = 1000) -> list[dict[str, Any]]:
        """Gives what happened to a run, oldest first."""
        return json_call(lib.tmon_record_events_json, self.opened(), self._id(id), limit)

    def alerts(self, id: str | None = None, *, active: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
        """Gives the alerts of a run, or of all, latest change first."""
        return json_call(lib.tmon_alert_list_json, self.opened(), new_struct("tmon_alert_filter", session_id=self._text_id(id), active=active, limit=limit))

    def conditions(self, id: str) -> dict[str, dict[str, Any]]:
        """Gives the critical conditions of a run: sensitivity, threshold and status of each class that has a threshold."""
        return json_call(lib.tmon_alert_conditions_json, self.opened(), self._id(id))

    def results(self, kind: str, id: str | None = None, **only: Any) -> list[dict[str, Any]]:
        """Gives rows of a kind: validation_results, confusion_matrices, benchmarks, datasets or hyperparameter_runs."""
        if kind not in RESULTS:
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(RESULTS)}")
        options = new_struct("tmon_result_filter", **{"session_id": self._text_id(id), "limit": 1000} | only)
        return json_call(lib.tmon_result_list_json, self.opened(), RESULTS.index(kind), options)[kind]

    def images(self, id: str, name: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Gives what is known of the pictures of a run, the newest first; `image` reads one by its `hash`."""
        options = new_struct("tmon_image_filter", session_id=self._text_id(id), name=name, limit=limit)
        return json_call(lib.tmon_image_list_json, self.opened(), options)["images"]

    def image(self, hash: str) -> bytes:
        """Reads an encoded picture by its hash."""
        data, size, kind = ffi.new("void **"), ffi.new("size_t *"), ffi.new("char[32]")
        check(lib.tmon_image_read(data, size, kind, self.opened(), hash.encode()))
        try:
            return bytes(ffi.buffer(data[0], size[0]))
        finally:
            lib.tmon_image_free(data[0])

    def tail(self, id: str, name: str, limit: int = 100) -> list[tuple[int, int, float]]:
        """Gives the latest points of a metric in order of arrival, each as (step, time in microseconds, value); `limit` is at most 100,000."""
        if not 0 <= limit <= MAX_TAIL:
            raise ValueError(f"limit is {limit}, expected 0 to {MAX_TAIL}")
        points, count = ffi.new("tmon_point[]", limit), ffi.new("size_t *", limit)
        try:
            check(lib.tmon_series_tail(points, count, self.opened(), self._id(id), name.encode()))
        except NotFoundError as error:
            raise self._missing(error, id, name) from None
        return [(point.step, point.time, point.value) for point in points[0:count[0]]]

    def follow(self, id: str) -> Follow:
        """Follows a run from now on: an iterator over its points as they are logged, here or in another process, which ends with the run."""
        from trainmon.follow import Follow  # only where it is used

        return Follow(self, id)

    def backup(self, folder: Any, progress: Callable[[int, int], Any] | None = None) -> None:
        """Copies the store into a new one at `folder` while others go on writing; see trainmon.backup."""
        from trainmon.backup import copy_store  # only where it is used

        copy_store(self, folder, progress)

    # Several runs

    def leaderboard(self, metric: str | None = None, *, mode: str = "best", direction: str = "auto", limit: int = 20, offset: int = 0,
                    any_status: bool = False, model_type: str | None = None, dataset_name: str | None = None) -> dict[str, Any]:
        """Ranks runs by a metric (mAP50-95 if none is named): `mode` best, last, smoothed or final; `direction` auto, higher or lower."""
        options = new_struct("tmon_leaderboard_options", metric=metric, mode=_choice("RANK", "mode", mode), limit=limit, offset=offset,
                          direction=_choice("DIRECTION", "direction", direction), any_status=any_status, model_type=model_type,
                             dataset_name=dataset_name)
        return json_call(lib.tmon_leaderboard_json, self.opened(), options)

    def compare(self, ids: Sequence[str], keys: Sequence[str] = (), *, width: int = 200) -> dict[str, Any]:
        """Compares 2 to 32 runs: settings, final and best values, aligned series."""
        options = new_struct("tmon_compare_options", keys=list(keys) or None, key_count=len(keys), width=width)
        texts = [ffi.new("char[]", self._id(id)) for id in ids]
        return json_call(lib.tmon_compare_json, self.opened(), texts, len(texts), options)

    def export(self, id: str, write: Callable[[bytes], Any], *, format: str = "csv", what: str = "points", keys: Sequence[str] | None = None) -> None:
        """Hands all points (or `what="epochs"`) of a run to `write` in pieces, as "csv", "jsonl" or "tensorboard"."""
        options = new_struct("tmon_extract_options", format=_choice("EXTRACT", "format", format), what=_choice("EXTRACT", "what", what),
                          keys=None if keys is None else list(keys), key_count=0 if keys is None else len(keys))
        out, data, size = ffi.new("tmon_extract_reader **"), ffi.new("void **"), ffi.new("size_t *")
        check(lib.tmon_extract_reader_open(out, self.opened(), self._id(id), options))
        reader = ffi.gc(out[0], lib.tmon_extract_reader_free)
        while check(lib.tmon_extract_reader_next(reader, ffi.cast("const void **", data), size)) != lib.TMON_DONE:
            write(bytes(ffi.buffer(data[0], size[0])))


def _choice(family: str, name: str, value: str) -> Any:
    """Gives the constant of the library that a word means. ValueError: there is none."""
    try:
        return getattr(lib, f"TMON_{family}_{value.upper()}")
    except AttributeError:
        raise ValueError(f"{name} is {value!r}, which is none of its values") from None


def project_tag(project: str) -> str:
    """Gives the tag that marks the runs of a project."""
    return cut_tag(f"project:{project}")


def cut_tag(tag: str) -> str:
    """Cuts a tag to the 64 bytes that one may have."""
    return to_bytes(tag, 64).decode()
