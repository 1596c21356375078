# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The events that Ultralytics really fires. It takes callbacks of any other name too, and never calls them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EVENTS = (
    "on_pretrain_routine_start", "on_pretrain_routine_end", "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end",
    "on_train_epoch_end", "on_val_start", "on_val_batch_start", "on_val_batch_end", "on_val_end", "on_model_save", "on_fit_epoch_end", "on_train_end",
    "teardown", "on_predict_start", "on_predict_batch_start", "on_predict_postprocess_end", "on_predict_batch_end", "on_predict_end",
    "on_export_start", "on_export_end",
)

# What people write instead, from other frameworks, older releases, and the framework's own list of defaults, of which it never fires three.
MEANT = {
    "on_epoch_end": "on_fit_epoch_end", "on_epoch_start": "on_train_epoch_start", "on_epoch_begin": "on_train_epoch_start",
    "on_train_epoch_begin": "on_train_epoch_start", "on_batch_end": "on_train_batch_end", "on_batch_start": "on_train_batch_start",
    "on_batch_begin": "on_train_batch_start", "on_train_batch_begin": "on_train_batch_start", "on_step_end": "on_train_batch_end",
    "optimizer_step": "on_train_batch_end", "on_before_zero_grad": "on_train_batch_end", "on_params_update": "on_train_batch_end",
    "on_train_begin": "on_train_start", "on_fit_start": "on_train_start", "on_fit_end": "on_train_end", "on_training_end": "on_train_end",
    "on_validation_start": "on_val_start", "on_validation_begin": "on_val_start", "on_validation_end": "on_val_end", "on_test_end": "on_val_end",
    "on_evaluate": "on_val_end", "on_save": "on_model_save", "on_save_checkpoint": "on_model_save", "on_checkpoint": "on_model_save",
    "on_validation_epoch_end": "on_val_end", "on_teardown": "teardown", "on_setup": "on_pretrain_routine_end", "setup": "on_pretrain_routine_end",
}


def check_event(event: str) -> str:
    """Gives the name back if Ultralytics fires it. ValueError: it does not; the text names the one that is probably meant."""
    if event in EVENTS:
        return event
    meant = MEANT.get(event)
    if meant is None:
        import difflib  # only for a mistake

        meant = next(iter(difflib.get_close_matches(str(event), EVENTS, 1, 0.0)))
    raise ValueError(f"Ultralytics never fires the event {event!r}; did you mean {meant!r}? Its events: {', '.join(EVENTS)}")


def add_callback(model: Any, event: str, function: Callable[[Any], Any]) -> None:
    """Adds a callback to a model or trainer as `model.add_callback` does, but ValueError for an event that never comes; the text names the right one."""
    model.add_callback(check_event(event), function)
