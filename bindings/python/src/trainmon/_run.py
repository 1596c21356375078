# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run: one training that this process records.

`log` is the hot path. For each set of names that it has seen it keeps a plan, the C array of their metrics (of a single name its metric), so that a call costs
a look-up, a list of the values and one C call, which converts numbers, tensors and numpy scalars as float() would. Whatever does not fit, such as nested or bad
values, pictures, or metrics with an axis of their own, raises on the way and goes through `_log_slowly`, which never does.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from operator import index

from trainmon import arguments
from trainmon import values as conversion
from trainmon._config import Config
from trainmon._core import ffi, lib
from trainmon._native import CONTROLS, STATUSES, new_struct, to_bytes
from trainmon.about import About
from trainmon.disabled import DisabledRun
from trainmon.errors import TrainmonError, check
from trainmon.guard import never_raises
from trainmon.image import Image
from trainmon.results import NO_STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from trainmon.store import Store

logger = logging.getLogger("trainmon")

MAX_PLANS = 1_000
FLUSH_SECONDS = 5.0
ENDS = ("completed", "failed", "cancelled")
WAIT_SLICE_MS = 200  # of a pause, between looks at signals such as Ctrl-C
TEXT_BYTES = 4_000  # of an error or an event; the library takes 4,096
SEVERITIES = {"INFO": "info", "WARN": "warning", "WARNING": "warning", "ERROR": "critical", "CRITICAL": "critical"}


class Run(About):
    """A training that is being recorded; made by `trainmon.init`. Any thread may log. Use it in a `with` block, or call `finish`."""

    disabled = False

    def __init__(self, store: Store, session: Any, *, name: str | None = None, config: Any = None, first_step: int = 0) -> None:
        """Takes the open store and the session that was started in it; use `trainmon.init`."""
        super().__init__()
        self.store = store
        self._session = ffi.gc(session, lib.tmon_session_free)
        self._log_batch = lib.tmon_log_batch
        self._log_one = lib.tmon_log
        self._plans: dict[tuple[Any, ...], tuple[Any, int]] = {}
        self._singles: dict[str, int] = {}
        self._metrics: dict[str, int] = {}
        self._step = first_step
        self._axes: dict[str, str] = {}
        self._alert_handle: Any = None
        self.id = ffi.string(lib.tmon_session_id(session)).decode()
        self._name = name or self.id[:8]
        self.finished = False
        self._config = Config(config, self._write_config)
        self._told_to_stop = False
        self._summary = Config({}, self._write_summary)

    def __reduce__(self) -> Any:
        """Pickled, as for a worker process, it becomes a run that records nothing there."""
        return DisabledRun, (self.config.as_dict(),)

    def __copy__(self) -> Run:
        """Gives the run itself: there is one of it."""
        return self

    def __deepcopy__(self, _memo: Any) -> Run:
        """Gives the run itself: there is one of it."""
        return self

    def __repr__(self) -> str:
        """Shows name, id and store."""
        return f"<trainmon.Run {self.name!r} {self.id} in {self.store.path}>"

    def _repr_html_(self) -> str | None:
        """Gives what a notebook shows for the run; see trainmon.notebook."""
        from trainmon import notebook  # only where it is used

        return notebook.repr_html(self)

    # Logging

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool = True, sync: Any = None) -> None:
        """Logs numbers by name, and pictures: `run.log({"train/loss": loss, "samples": trainmon.Image(x)})`.

        `step` is any integer; without it the calls are counted, and `commit=False` stays at the step; `sync` says nothing. Nested dicts are flattened with
        "/". A value that is no number is told once by a warning and left out. Never raises, waits for no disk; a point survives a kill once the call has
        returned.
        """
        if step is None:
            step = self._step
        elif step.__class__ is not int:  # a scalar of numpy or torch, that would wrap around or stay on the device
            try:
                step = index(step)  # not int, which would cut 1.5 in silence
            except Exception:
                self._log_slowly(data, step, commit)
                return
        try:
            if len(data) == 1:
                ((name, value),) = data.items()
                code = self._log_one(self._session, self._singles[name], step, value)
            else:
                metrics, count = self._plans[tuple(data)]
                code = self._log_batch(self._session, step, metrics, [*data.values()], count)
        except Exception:
            self._log_slowly(data, step, commit)
            return
        self._step = step + 1 if commit else step
        if code:
            self._tell_failure(code)

    def _log_slowly(self, data: Any, step: Any, commit: bool) -> None:
        try:
            if not hasattr(data, "items"):
                self.warn_once("log", f"log takes a dict of names and values, found {type(data).__name__}: nothing was logged")
                return
            step = self._whole("step", step)
            self._log_leaves(data, dict(itertools.islice(conversion.flatten(data), conversion.MAX_NODES)), step)
            self._step = min(step + 1, conversion.MAX_WHOLE) if commit else step
        except Exception as error:  # the training goes on whatever a value does
            self.warn_once(f"log:{type(error).__name__}", f"a call of log failed: {conversion.shown(error, 200)}")

    def _log_leaves(self, data: Mapping[str, Any], leaves: dict[str, Any], step: int) -> None:
        metrics, numbers = [], []
        by_axis: dict[str, list[tuple[int, float]]] = {}
        for name, value in leaves.items():
            number = conversion.to_number(value)
            metric = self._metric(name) if number is not None else 0
            if number is None:
                self._log_other(name, value, step)
            elif metric:
                axis = self._axis_of(name)
                if axis is None:
                    metrics.append(metric)
                    numbers.append(number)
                else:
                    by_axis.setdefault(axis, []).append((metric, number))
        self._log_numbers(step, metrics, numbers)
        for axis, points in by_axis.items():
            x = conversion.to_number(leaves.get(axis))
            at = step if x is None or x != x else int(max(-9e18, min(x, 9e18)))
            self._log_numbers(at, [metric for metric, _ in points], [number for _, number in points])
        # A plan has float() read a tensor, at which torch warns when it has a gradient.
        graphs = any(getattr(value, "requires_grad", False) for value in leaves.values())
        if not graphs and not by_axis and len(metrics) == len(leaves) and tuple(leaves) == tuple(data):
            if len(self._plans) + len(self._singles) >= MAX_PLANS:
                self._forget_plans()
            if len(metrics) == 1:
                self._singles[next(iter(data))] = metrics[0]
            else:
                self._plans[tuple(data)] = (ffi.new("tmon_metric[]", metrics), len(metrics))

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._singles.clear()

    def _log_numbers(self, step: int, metrics: list[int], numbers: list[float]) -> None:
        if metrics:
            code = lib.tmon_log_batch(self._session, step, metrics, numbers, len(metrics))
            if code:
                self._tell_failure(code)

    def _log_other(self, name: str, value: Any, step: int) -> None:
        if isinstance(value, Image):
            self.log_image(name, value, step=step)
        elif isinstance(value, (list, tuple)) and value and all(isinstance(entry, Image) for entry in value):
            for entry in value:
                self.log_image(name, entry, step=step)
        else:
            self.warn_once(f"value:{name}", f"{name} = {conversion.shown(value)} ({type(value).__name__}) is no number: left out")

    def _metric(self, name: str) -> int:
        metric = self._metrics.get(name)
        if metric is None:
            out = ffi.new("tmon_metric *")
            if "\0" in name:  # would end the name in C
                self.warn_once(f"metric:{name}", f"the metric name {name!r:.80} is not allowed: it has a zero byte")
                return 0
            code = lib.tmon_session_metric(out, self._session, name.encode("utf-8", "replace"), ffi.NULL)
            if code < 0:
                self._tell_failure(code, f"metric:{name}" if code == lib.TMON_EINVAL else None)
                return 0
            metric = self._metrics[name] = out[0]
        return metric

    def _axis_of(self, name: str) -> str | None:
        for pattern, axis in self._axes.items():
            if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
                return axis if name != axis else None
        return None

    @never_raises
    def define_metric(self, name: str, step_metric: str | None = None, summary: str | None = None, goal: str | None = None, **_unused: Any) -> None:
        """Gives a metric (or "prefix/*") the values of another one as its steps, and says which way is better: `goal` "minimize" or "maximize".

        `goal` or `summary` ("min", "max") also makes it the metric that decides the best epoch.
        """
        if step_metric is not None:
            self._axes[str(name)] = str(step_metric)
            self._forget_plans()
        order = {"minimize": "min", "maximize": "max", "min": "min", "max": "max"}.get(goal or summary or "")
        if order and "*" not in name:
            self._update(best_metric=f"{name}:{order}")

    @never_raises
    def log_points(self, name: str, steps: Sequence[int], values: Sequence[float], times: Sequence[int] | None = None) -> None:
        """Logs many points of one metric at once: steps, values, and times in microseconds since 1970 (None: now). Lists or numpy arrays; never raises."""
        metric = self._metric(name)
        if not metric or len(steps) != len(values) or (times is not None and len(times) != len(values)):
            self.warn_once(f"points:{name}", f"{name}: {len(steps)} steps do not fit {len(values)} values: left out")
            return
        arrays = [_c_array("int64_t", steps), ffi.NULL if times is None else _c_array("int64_t", times), _c_array("double", values)]
        self.attempt(lib.tmon_log_series, self._session, metric, *arrays, len(values))

    @never_raises
    def log_epoch(self, epoch: int, data: Mapping[str, Any]) -> None:
        """Records the row of an epoch; names of columns (docs/reference/metrics.md) fill them, others go to `extra`. Never raises."""
        if not hasattr(data, "items"):
            self.warn_once("epoch", f"log_epoch takes a dict of names and values, found {type(data).__name__}: nothing was recorded")
            return
        epoch, metrics, numbers = self._whole("epoch", epoch), [], []
        for name, value in itertools.islice(conversion.flatten(data), conversion.MAX_NODES):
            number = conversion.to_number(value)
            metric = self._metric(name) if number is not None else 0
            if number is None:
                self.warn_once(f"value:{name}", f"{name} = {conversion.shown(value)} ({type(value).__name__}) is no number: left out of the epoch's row")
            elif metric:
                metrics.append(metric)
                numbers.append(number)
        if metrics:
            row = new_struct("tmon_epoch", count=len(metrics), metrics=ffi.new("tmon_metric[]", metrics), values=ffi.new("double[]", numbers))
            code = lib.tmon_session_log_epoch(self._session, epoch, row)
            if code:
                self._tell_failure(code)

    @never_raises
    def progress(self, *, epoch: int = 0, epochs: int = 0, batch: int = 0, batches: int = 0, images: int = 0, fraction: float = 0.0) -> None:
        """Reports how far the training is, in completed things; 0 means unknown. Cheap; never raises."""
        options = new_struct("tmon_progress", epoch=epoch, epochs=epochs, batch=batch, batches=batches, images=images, fraction=fraction)
        code = lib.tmon_session_report(self._session, options)
        if code:
            self._tell_failure(code)
        if self._waiting:
            self._write_waiting()

    def continue_steps(self) -> None:
        """Goes on counting after the highest step that an earlier attempt logged."""
        self._step = max((metric["step"] + 1 for name, metric in self.store.metrics(self.id).items() if not name.startswith("system/")), default=0)

    # Steering

    @property
    def control(self) -> str:
        """What people want of the run: "run", "pause" or "stop"; one atomic load."""
        return CONTROLS[self._heard(lib.tmon_session_control(self._session))]

    @property
    def should_stop(self) -> bool:
        """True when somebody asked the run to stop; your loop should end then."""
        return self._heard(lib.tmon_session_control(self._session)) == lib.TMON_CONTROL_STOP

    def wait_while_paused(self, timeout: float | None = None) -> bool:
        """Waits while the run is paused, at most `timeout` seconds, and gives True when it is to stop. Call it between steps; Ctrl-C works meanwhile."""
        left = None if timeout is None else max(0, int(timeout * 1000))
        control = lib.tmon_session_control(self._session)
        while control == lib.TMON_CONTROL_PAUSE and (left is None or left > 0):
            wait = WAIT_SLICE_MS if left is None else min(left, WAIT_SLICE_MS)
            control = lib.tmon_session_wait_while_paused(self._session, wait)
            left = None if left is None else left - wait
        return self._heard(control) == lib.TMON_CONTROL_STOP

    def _heard(self, control: int) -> int:
        """Gives what the loop is told, and remembers a stop: a run that ends after that was cancelled."""
        if control == lib.TMON_CONTROL_STOP:
            self._told_to_stop = True
        return control

    def request(self, control: str) -> None:
        """Asks this run to "run", "pause" or "stop", as a person on the page would."""
        if control not in CONTROLS:
            raise ValueError(f'control is {control!r}, expected "run", "pause" or "stop"')
        check(lib.tmon_session_request(self._session, CONTROLS.index(control)))

    # Alerts and events

    @never_raises
    def alert(self, title: str, text: str | None = None, level: Any = "WARN", wait_duration: Any = None, step: int | None = None) -> None:
        """Raises an alert of one's own: `level` "INFO", "WARN" or "ERROR". Shown on the page, stored. Never raises."""
        severity = SEVERITIES.get(str(getattr(level, "value", level)).upper())
        if severity is None:
            self.warn_once("level", f'the level of an alert is {conversion.shown(level)}, expected "INFO", "WARN" or "ERROR": "WARN" is taken')
            severity = "warning"
        note = new_struct("tmon_alert_note", title=str(title), text=None if text is None else str(text), severity=severity,
                       step=max(self._step - 1, 0) if step is None else self._whole("step", step))
        self._write(lib.tmon_alert_add, ffi.NULL, self.store.handle, self.id.encode(), note)

    def set_alert_rules(self, rules: Any) -> None:
        """Replaces the alert rules of the run by a list of dicts (docs/reference/alerts.md). InvalidError names what is wrong."""
        call = (lib.tmon_alert_set_rules, self.store.handle, self.id.encode(), to_bytes(json.dumps(rules)), True)
        code = call[0](*call[1:])
        if code == lib.TMON_EBUSY:
            self._write(*call)
        else:
            check(code)

    def on_alert(self, function: Callable[[dict[str, Any]], None] | None) -> None:
        """Has `function` called with a dict for each alert of a rule with the action "callback", on a thread of the library; it must return soon."""
        from trainmon import alerts  # only where it is used

        self._alert_handle = alerts.connect(self._session, function)

    @never_raises
    def event(self, kind: str, message: str = "", data: Mapping[str, Any] | None = None, step: int | None = None) -> None:
        """Records that something happened, such as `run.event("checkpoint", path)`. Never raises."""
        text = ffi.NULL if data is None else to_bytes(conversion.to_json(data))
        at = NO_STEP if step is None else self._whole("step", step)
        self._write(lib.tmon_record_add_event, self.store.handle, self.id.encode(), to_bytes(str(kind)), to_bytes(str(message), TEXT_BYTES), text, at)

    # The session's row

    @never_raises
    def _write_config(self) -> None:
        self.tell_cut("config", self.config)
        self._update(config_json=conversion.to_json(self.config.as_dict()))

    @never_raises
    def _write_summary(self) -> None:
        self.tell_cut("summary", self.summary)
        self._update(summary_json=conversion.to_json(self.summary.as_dict()))

    def _update(self, **fields: Any) -> None:
        change = new_struct("tmon_record_change", **fields)
        for name in ("learning_rate", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss"):
            if name not in fields:
                setattr(change, name, float("nan"))
        self._write(lib.tmon_record_update, self.store.handle, self.id.encode(), change)

    @never_raises
    def update(self, **fields: Any) -> None:
        """Changes what is known of the run: notes, model_type, dataset_name, dataset_size, epochs, batch_size, img_size, learning_rate, model_path, tags …"""
        if "tags" in fields:
            fields["tags_json"] = conversion.to_json(list(fields.pop("tags")))
        self._update(**fields)

    # The end

    @property
    def dropped(self) -> int:
        """How many points were dropped because the store did not take them; exact."""
        return int(lib.tmon_session_dropped(self._session))

    def flush(self) -> None:
        """Commits all that was logged so far to the store; waits for the disk, 5 s for a locked store. Logging does not need it."""
        end = time.monotonic() + FLUSH_SECONDS
        while (code := lib.tmon_session_flush(self._session)) == lib.TMON_EBUSY and time.monotonic() < end:
            pass  # each call has waited for the lock
        if code:
            self._tell_failure(code)
        self._next_try = 0.0
        self._write_waiting()

    def finish(self, exit_code: int | None = None, quiet: bool | None = None, *, status: str | None = None, error: str | None = None) -> None:
        """Ends the run: as `status` says, "failed" with another `exit_code` than 0, "completed" with 0; else "completed", "cancelled" after a stop was seen.

        A stop was seen once `should_stop`, `control` or `wait_while_paused` told of it, and still stands. Once; at most 100 ms. Never raises.
        """
        if self.finished:
            return
        self.finished = True
        if self._pid != os.getpid():
            return
        if status not in ENDS:
            if status is not None:
                hint = arguments.meant(status, ENDS)
                self.warn_once("status", f'finish: status is {conversion.shown(status)}, expected "completed", "failed" or "cancelled": it is left out{hint}')
            status = "failed" if exit_code else "cancelled" if exit_code is None and self._told_to_stop and self.should_stop else "completed"
        if self._waiting:
            self._next_try = 0.0
            self._write_waiting()
        if error:
            self.attempt(lib.tmon_session_set_error, self._session, to_bytes(str(error), TEXT_BYTES))
        self.attempt(lib.tmon_session_finish, self._session, STATUSES.index(status))
        self._forget_plans()
        if self.dropped:
            logger.warning("%s: %d points were dropped because the store did not take them", self.name, self.dropped)
        if self._waiting:
            logger.warning("%s: %d changes of settings, alerts or events were lost because the store was locked", self.name, len(self._waiting))

    def __enter__(self) -> Run:
        """Gives the run itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Ends the run: failed after an exception, cancelled after Ctrl-C or a stop that was seen, else completed. The exception goes on."""
        self.finish(**outcome(error))


def _c_array(kind: str, entries: Any) -> Any:
    """Gives a C array of a list, or of a numpy array without a copy where its type is the one."""
    wanted = "int64" if kind == "int64_t" else "float64"
    if hasattr(entries, "dtype"):
        if conversion.is_complex(entries):
            raise TypeError("complex numbers are no values")
        array = entries.astype(wanted, order="C", copy=False)
        return ffi.from_buffer(f"{kind}[]", array if array.flags.c_contiguous else array.copy())
    return ffi.new(f"{kind}[]", entries if isinstance(entries, (list, tuple)) else list(entries))


def outcome(error: BaseException | None) -> dict[str, Any]:
    """Gives the arguments of finish that tell how a training ended; none when nothing went wrong."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return {}
    if isinstance(error, KeyboardInterrupt):
        return {"status": "cancelled", "error": "interrupted by the keyboard"}
    try:
        text = str(error)
    except Exception:  # of a foreign type
        text = "?"
    return {"status": "failed", "error": f"{type(error).__name__}: {text}"}


def start(store: Store, options: Any, *, name: str | None, config: Any) -> Run:
    """Starts a session in the store and gives its run. TrainmonError: it can't be."""
    out = ffi.new("tmon_session **")
    check(lib.tmon_session_start(out, store.handle, options))
    try:
        return Run(store, out[0], name=name, config=config)
    except TrainmonError:
        lib.tmon_session_free(out[0])
        raise
