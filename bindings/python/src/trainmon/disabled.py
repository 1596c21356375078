# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run that records nothing: of mode="disabled", of further ranks, and where the store can't be had."""

from __future__ import annotations

from trainmon._config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _nothing(*_arguments: Any, **_fields: Any) -> None:
    """Does nothing."""


def _log_nothing(data: Any = None, step: Any = None, commit: Any = True) -> None:
    """Does nothing, quicker: it packs no arguments."""


class DisabledRun:
    """Takes every call of a Run and does nothing; settings are kept in memory. Truly free: no store, no thread, no file."""

    disabled = True
    id = name = ""
    store = None
    control = "run"
    should_stop = False
    dropped = 0

    def __init__(self, config: Any = None) -> None:
        """Keeps the settings, so that a script can read them."""
        self.config = Config(config)
        self.summary = Config()
        self.finished = False

    log = staticmethod(_log_nothing)
    log_epoch = log_image = log_validation = log_confusion = log_benchmark = log_dataset = log_trial = log_points = staticmethod(_nothing)
    alert = set_alert_rules = on_alert = event = update = flush = progress = define_metric = request = warn_once = staticmethod(_nothing)

    def asked(self) -> bool:
        """Nobody asks for anything."""
        return False

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
