# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run that records nothing: of mode="disabled", of further ranks, and where the store can't be had."""

from __future__ import annotations

from trainmon._config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _nothing(*_arguments: Any, **_fields: Any) -> None:
    """Does nothing."""


def _log_nothing(data: Any = None, step: Any = None, commit: Any = True, sync: Any = None) -> None:
    """Does nothing, quicker: it packs no arguments."""


FOREIGN_CALLS = ("watch", "unwatch", "save", "log_code", "log_artifact", "log_model", "mark_preempting")


def foreign_call(name: str) -> Callable[..., Any]:
    """Makes a method that W&B's runs have and that does nothing here, with a warning once."""

    def call(_self: Any, *arguments: Any, **options: Any) -> Any:
        from trainmon.habits import of_module  # only where it is used

        return of_module(name)(*arguments, **options)

    call.__name__, call.__doc__ = name, "Does nothing; see trainmon.habits."
    return call


class DisabledRun:
    """Takes every call of a Run and does nothing; settings are kept in memory. Truly free: no store, no thread, no file."""

    disabled = True
    id = name = ""
    store = url = project = group = job_type = notes = dashboard = None
    step = 0
    tags: Any = ()
    control = "run"
    should_stop = resumed = False
    dropped = 0

    def __init__(self, config: Any = None) -> None:
        """Keeps the settings, so that a script can read them."""
        self._config = Config(config)
        self._summary = Config()
        self.finished = False
        self._dir: str | None = None

    log = staticmethod(_log_nothing)
    log_epoch = log_image = log_validation = log_confusion = log_benchmark = log_dataset = log_trial = log_points = staticmethod(_nothing)
    alert = set_alert_rules = on_alert = event = update = flush = progress = define_metric = request = warn_once = get_url = staticmethod(_nothing)
    watch, unwatch, save, log_code, log_artifact, log_model, mark_preempting = map(foreign_call, FOREIGN_CALLS)

    @property
    def config(self) -> Config:
        """The settings; a dict that is assigned updates them."""
        return self._config

    @config.setter
    def config(self, values: Any) -> None:
        self._config.update(values)

    @property
    def summary(self) -> Config:
        """The outcome; a dict that is assigned updates it."""
        return self._summary

    @summary.setter
    def summary(self, values: Any) -> None:
        self._summary.update(values)

    @property
    def dir(self) -> str:
        """A folder for files of the script, one for temporary files that stays; made when it is asked for."""
        if self._dir is None:
            import tempfile  # only where it is used

            self._dir = tempfile.mkdtemp(prefix="trainmon-")
        return self._dir

    def wait_while_paused(self, timeout: float | None = None) -> bool:
        """Never waits, never stops."""
        return False

    def finish(self, *_arguments: Any, **_fields: Any) -> None:
        """Marks the end."""
        self.finished = True

    def __enter__(self) -> DisabledRun:
        """Gives the run itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Marks the end; an exception goes on."""
        self.finished = True

    def __repr__(self) -> str:
        """Says that it is disabled."""
        return "<trainmon.DisabledRun>"
