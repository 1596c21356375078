# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The run of this process, for scripts that call `trainmon.init` and `trainmon.log`."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time

from trainmon import _run as runs
from trainmon import arguments, ranks
from trainmon import values as conversion
from trainmon._config import Config, to_dict
from trainmon._core import lib
from trainmon._native import json_call, new_struct
from trainmon.disabled import DisabledRun
from trainmon.errors import BusyError, InvalidError, NotFoundError, TrainmonError
from trainmon.store import Store, cut_tag, project_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

logger = logging.getLogger("trainmon")

UUID_LENGTH = 36
LOCK_SECONDS = 0.2  # what a call of a run waits for a store that another process locks
START_SECONDS = 5.0

_run: Any = None
_live: set[Any] = set()  # runs that are to be ended when the process ends
_exit_code: Any = None  # what sys.exit was called with


def init(project: str | None = None, *, name: str | None = None, config: Any = None, dir: Any = None, id: str | None = None, resume: Any = None,
         tags: Any = (), notes: str | None = None, group: str | None = None, job_type: str | None = None, mode: str | None = None, reinit: Any = None,
         model_type: str | None = None, dataset_name: str | None = None, dataset_size: int = 0, epochs: int = 0, batch_size: int = 0, img_size: int = 0,
         learning_rate: float = 0.0, best_metric: str | None = None, parent_id: str | None = None, alert_rules: Any = None, hardware: float = 5.0,
         rank: int | None = None, dashboard: Any = False, **unused: Any) -> Any:
    """Starts a run and makes it the one of this process, which `trainmon.log` means.

    The history lies in the folder `dir`, else $TRAINMON_DIR, else ./trainmon. `config`: hyper-parameters, a dict or an object with attributes. `id`: the id of
    an ended run resumes it, any other text names a run by itself; `resume` "must" or "never" insists. `mode` "disabled" (or $TRAINMON_MODE) records nothing.
    `project`, `group` and `job_type` become tags. `hardware`: seconds between figures of the machine, 0 for none. `alert_rules`: docs/reference/alerts.md.
    `reinit`: an unfinished run of this process is finished first; False or "return_previous" gives it back instead, "create_new" leaves it alone.
    `dashboard=True` also serves the page from a process of its own; a number is its port.

    A wrong argument raises. If the store can't be used (full disk, no permission), a warning says why and the training goes on unrecorded.
    """
    global _run  # noqa: PLW0603 (the module is about it)
    mode = arguments.to_mode(mode)
    if _run is not None and not _run.finished and reinit != "create_new":
        if reinit is False or reinit == "return_previous":
            return _run
        _run.finish()
    rank = ranks.current_rank() if rank is None else arguments.to_number("rank", rank)
    if mode == "disabled" or (rank > 0 and ranks.RUN_VARIABLE not in os.environ):
        _run = DisabledRun(config)
        return _run
    arguments.tell_unknown(unused, ("project", *(init.__kwdefaults__ or ())))
    marks = [project_tag(project)] if project else []
    marks += [cut_tag(f"group:{group}")] if group else []
    marks += [cut_tag(f"job:{job_type}")] if job_type else []
    marks += arguments.to_tags(tags)
    name, said = arguments.to_text("name", name), arguments.to_text("id", id)
    id = _identity(said, rank)
    resume = arguments.to_resume(resume, id)
    values = to_dict(config, "config")
    texts = {"model_type": model_type, "dataset_name": dataset_name, "parent_id": parent_id, "best_metric": best_metric}
    counts = {"dataset_size": dataset_size, "epochs": epochs, "batch_size": batch_size, "img_size": img_size}
    period = arguments.to_seconds("hardware", hardware)
    dir, port = arguments.to_folder("dir", dir), 8000 if dashboard is True else arguments.to_number("dashboard", dashboard)
    options = new_struct("tmon_session_options", id=id, name=name, config_json=conversion.to_json(values), rank=rank, notes=arguments.to_notes(notes),
                         learning_rate=arguments.to_number("learning_rate", learning_rate, float),
                         tags_json=conversion.to_json(list(dict.fromkeys(marks))) if marks else None,
                         hardware_period_ms=max(100, int(period * 1000)) if period and rank == 0 else 0,
                         **{key: arguments.to_text(key, value) for key, value in texts.items()},
                         **{key: arguments.to_number(key, value) for key, value in counts.items()})
    try:
        _run = _start(options, dir, id=id, said=said, resume=resume, name=name, values=values)
    except InvalidError:
        raise
    except (TrainmonError, MemoryError, OSError) as error:
        if resume != "allow" and isinstance(error, NotFoundError | ExistsError):
            raise
        logger.warning("this training is not recorded: %s", error)
        _run = DisabledRun(config)
        return _run
    if rank == 0:
        os.environ[ranks.RUN_VARIABLE] = _run.id
    if alert_rules is not None:
        _run.set_alert_rules(alert_rules)
    if port:
        _serve(_run, port)
    return _run


class ExistsError(TrainmonError):
    """A run of this id is there already, and resume is "never", or it is live."""


def _identity(id: str | None, rank: int) -> str | None:
    """Gives the id of the run: that of rank 0, of the recipe that started this process, or what the caller said, made a UUID."""
    if rank > 0:
        return os.environ[ranks.RUN_VARIABLE]
    if id is None:
        return os.environ.pop("TRAINMON_SESSION_ID", None) or None
    if len(id) == UUID_LENGTH and id.count("-") == 4:
        return id.lower()
    import uuid  # slow to import, seldom needed

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"trainmon:{id}"))


def _start(options: Any, folder: Any, *, id: str | None, said: str | None, resume: str, name: str | None, values: dict[str, Any]) -> Any:
    store = _patiently(lambda: Store(folder, lock_timeout=LOCK_SECONDS))
    earlier = None
    if id is not None:
        try:
            earlier = store.run(id)
        except NotFoundError:
            if resume == "must":
                raise _missing(store, said or id) from None
    if earlier is not None and resume == "never":
        raise ExistsError(f'run {said or id!r} is there already, and resume is "never": give another id, or resume="allow" to go on with it', field="id")
    config = {**((earlier and earlier.config) or {}), **values}
    try:
        started = _patiently(lambda: runs.start(store, options, name=name or (earlier.name if earlier else None), config=config))
    except TrainmonError as error:
        if error.code != lib.TMON_EEXISTS or earlier is None or options.rank:
            raise
        raise ExistsError(_live_text(store, said or earlier.id, earlier.id), error.code, "id") from None
    started.tell_cut("config", values)
    if earlier is not None:
        started.resumed = True
        started.continue_steps()
        started.summary = Config(earlier.summary, started._write_summary)
    _live.difference_update([run for run in _live if run.finished])
    _live.add(started)
    return started


def _missing(store: Store, said: str) -> NotFoundError:
    """Says that there is no run to resume: by what its caller called it, with the id of one that is called so elsewhere."""
    try:
        hint = f"the run that {said!r} names elsewhere has the id {store.run(said).id}"
    except NotFoundError:
        hint = 'resume="allow" starts it'
    return NotFoundError(f'no run {said!r} in {store.path}, and resume is "must": {hint}', lib.TMON_ENOTFOUND, "id")


def _live_text(store: Store, said: str, id: str) -> str:
    feeding = [rank for rank in json_call(lib.tmon_record_ranks_json, store.handle, id.encode()) if rank["live"]]
    where = "in this process: finish it first" if any(run.id == id and not run.finished for run in _live) else "stop it"
    if feeding and "process" not in where:
        where = f"in process {feeding[0]['pid']} on {feeding[0]['host']}: {where}"
    return f"run {said!r} is still running {where}, or give another id"


def _patiently(call: Any) -> Any:
    """Calls, again for some seconds while the store is locked by another process. Only here a training waits for that: later calls give up soon."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return call()
        except BusyError:
            if time.monotonic() > end:
                raise


def _serve(started: Any, port: int) -> None:
    from trainmon.server import Dashboard  # only where it is used

    try:
        started.dashboard = Dashboard(started.store.path, port=port)
        print(f"trainmon: {started.dashboard.url}", file=sys.stderr)
    except OSError as error:
        logger.warning("%s", error)


def active() -> Any:
    """Gives the run of this process; one that records nothing when there is none."""
    global _run  # noqa: PLW0603
    if _run is None:
        logger.warning("trainmon.init was not called: nothing is recorded")
        _run = DisabledRun()
    return _run


def peek() -> Any:
    """Gives the run of this process as it is, or None."""
    return _run


def restore(started: Any) -> None:
    """Makes a run that of this process again, after an adapter has opened one of its own."""
    global _run  # noqa: PLW0603
    _run = started
    if not started.disabled:
        os.environ[ranks.RUN_VARIABLE] = started.id


def log(data: Any = None, step: int | None = None, commit: bool = True, sync: Any = None, **unused: Any) -> None:
    """Logs to the run of this process; see Run.log. Other arguments are left out with a warning."""
    if unused:
        (_run or active()).warn_once("log arguments", f"log takes a dict of names and values, and no {', '.join(unused)}: left out")
        if data is None:
            return
    (_run or active()).log(data, step, commit)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """Ends the run of this process; see Run.finish."""
    global _run  # noqa: PLW0603
    if _run is not None:
        _run.finish(exit_code, quiet)
        _run = None


def _exit(status: Any = None, /) -> Any:
    """Exit the interpreter by raising SystemExit(status); trainmon remembers the status for the runs that end with it."""
    global _exit_code  # noqa: PLW0603
    if threading.current_thread() is threading.main_thread():
        _exit_code = status
    raise SystemExit(status)


def _finish_all() -> None:
    # The interpreter keeps what ended the script here whatever sys.excepthook was set to, but not a SystemExit.
    error = getattr(sys, "last_value", None)
    if error is None or error is _earlier_error:
        error = SystemExit(_exit_code) if _exit_code else None
    for started in list(_live):
        started.finish(**runs.outcome(error))
    _live.clear()


def _forget_in_child() -> None:
    """A forked child has no run: what it logs is not part of its parent's."""
    global _run  # noqa: PLW0603
    if _run is not None:
        _run = DisabledRun(_run.config.as_dict())
    _live.clear()


_earlier_error = getattr(sys, "last_value", None)
sys.exit = _exit
atexit.register(_finish_all)
os.register_at_fork(after_in_child=_forget_in_child)
