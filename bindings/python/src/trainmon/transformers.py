# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Records a training of the Trainer of Hugging Face transformers.

    from trainmon.transformers import TrainMonCallback

    Trainer(model, args, ..., callbacks=[TrainMonCallback(project="digits")]).train()
"""

from __future__ import annotations

import math
import os
import sys
import time

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from trainmon import current
from trainmon import values as conversion
from trainmon.checks import only_known
from trainmon.fits import Fits, Fitted
from trainmon.loop import Loop, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COLUMNS = {"train/loss": "train/loss", "train/learning_rate": "learning_rate", "eval/loss": "val_loss", "eval/accuracy": "val_accuracy"}
END = "train_runtime"  # among the values that the Trainer logs once, at its end


class TrainMonCallback(Fitted, TrainerCallback, ExportableState):  # type: ignore[misc]
    """Records what the Trainer logs, its evaluations and checkpoints, obeys pause and stop after each step. Never raises into the training.

    Names as of other trackers: `train/loss`, `eval/loss`, `test/loss`; steps are optimizer steps. Rows of epochs count from 1. Only the first process records.
    """

    def __init__(self, run: Any = None, *, resume: bool = False, seconds: float = 0.1, pause: bool = True, stop: bool = True, **init: Any) -> None:
        """`run`: one of `trainmon.init`; without it that of the script if nothing else is said, else a new one for each `train` made of `init`'s arguments.

        `resume`: a training from a checkpoint continues the run that saved it. `seconds`: how often progress is told. `pause`, `stop`: whether people may.
        TypeError or ValueError names the argument that is wrong; one that is unknown is told by a warning and left out.
        """
        init = only_known("TrainMonCallback", init, TrainMonCallback.__init__, Loop.__init__, current.init)
        self._options = {"seconds": seconds, "pause": pause, "stop": stop, **init}
        self._fits = Fits(run, self._options)
        self._resume = resume
        self._run_id: str | None = None
        self._row: dict[str, Any] = {}
        self._began = self._paused = 0.0
        self._first_step = self._steps = 0
        self._validating = False

    def state(self) -> dict[str, Any]:
        """What a checkpoint of the Trainer keeps of the callback: the id of the run, and the arguments that JSON can say."""
        plain = {name: value for name, value in self._options.items() if isinstance(value, (bool, int, float, str, type(None)))}
        id = getattr(self.run, "id", "") or self._run_id
        return {"args": {**plain, "resume": self._resume}, "attributes": {"_run_id": id}}

    # Training

    @guarded
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, train_dataloader: Any = None, **_: Any) -> None:
        """Opens the run."""
        if not state.is_world_process_zero:
            return
        self._row = {}
        self._steps = _steps_of_epoch(args, train_dataloader)
        self._fits.begin(self._earlier(state) if self._resume else None, **_facts(args, state, model, train_dataloader))
        self._run_id = self.run.id
        self._loop.phase("train")

    def _earlier(self, state: Any) -> str | None:
        """The id of the run whose checkpoint the Trainer loaded. It lists itself, or what a checkpoint says, in its state."""
        kept = state.stateful_callbacks.get(type(self).__name__) if state.global_step else None
        kept = kept[0] if isinstance(kept, list) and kept else kept
        return (kept or {}).get("attributes", {}).get("_run_id")

    @guarded
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begins to count the steps of the epoch."""
        self._first_step = state.global_step - (state.global_step % self._steps if self._steps else 0)
        self._began, self._paused = time.monotonic(), self._loop.paused_seconds
        self._row = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Obeys: a pause waits here; a stop ends the training as the Trainer ends one, with a last evaluation and checkpoint where it is set so."""
        stop = self._obey(args, state)
        if args.world_size > 1:  # outside of what is guarded: all processes must come to the same calls
            stop = _agreed(bool(stop), args, state)
        if stop:
            control.should_training_stop = True
        return control

    @guarded
    def _obey(self, args: Any, state: Any) -> bool:
        if not self._loop.live:
            return False
        self._show_training()
        # After its last step the epoch is not over yet: that step is among the batches of it.
        self._tell(args, state, max(0, _epoch(state) - 1), state.global_step - self._first_step)
        stop = self._loop.obey()  # what a pause shows is this step
        self._loop.due()
        return stop

    def _tell(self, args: Any, state: Any, epoch: int, batch: int) -> None:
        """Keeps how far the training is; one that is to end after so many steps ends within an epoch, so its steps are counted alone."""
        if args.max_steps > 0:
            self._loop.progress(epoch=epoch, batch=state.global_step, batches=state.max_steps)
        else:
            self._loop.progress(epoch=epoch, epochs=_epochs(args, state) or 0, batch=batch, batches=self._steps)

    @guarded
    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Logs what the Trainer logs. Other callbacks take entries out of its dict, so it is copied."""
        logs = dict(logs or {})
        if not self._loop.live or not self._fits.active:
            return
        if END in logs:
            logs.pop("epoch", None)
            self.run.summary.update(logs)
            return
        values = _renamed(logs)
        self._loop.log(state.global_step, values)
        self._row.update({COLUMNS.get(name, name): value for name, value in values.items() if name != "train/epoch"})
        if self._began == 0.0:  # between two epochs: with logging_strategy or eval_strategy "epoch" the values come after the end of theirs
            self._write_row(state)

    @guarded
    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Records the row of the epoch: the values that were logged last in it."""
        if self._loop.live:
            self._row["epoch_time_seconds"] = time.monotonic() - self._began - (self._loop.paused_seconds - self._paused)
            self._write_row(state)
            self._tell(args, state, math.floor(round(state.epoch or 0, 6)), 0)
            self._loop.flush()
        self._began = 0.0

    def _write_row(self, state: Any) -> None:
        self.run.log_epoch(max(1, _epoch(state)), self._row)

    @guarded
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Records the checkpoint, and whether it is the best so far."""
        if not self._loop.live:
            return
        path = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        best = state.best_model_checkpoint
        is_best = best is not None and os.path.normpath(best) == os.path.normpath(path)
        self.run.event("checkpoint", path, {"epoch": state.epoch, "best": is_best, "best_metric": state.best_metric}, state.global_step)
        if is_best or best is None:
            self.run.update(model_path=os.path.abspath(path))

    @guarded
    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ends the run, if it is not the caller's."""
        if self._fits.active:
            self._fits.end()

    # Evaluation and prediction

    @guarded
    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tells that an evaluation runs, and waits while people want a pause."""
        if self._fits.active and self._loop.live:
            if not self._validating:
                self._validating = True
                self._loop.phase("validate")
            self._loop.obey()

    def _show_training(self) -> None:
        if self._validating:
            self._validating = False
            self._loop.phase("train")

    @guarded
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, model: Any = None, **_: Any) -> None:
        """Records an evaluation outside a training; those within come as logs."""
        self._outside("evaluate", args, state, metrics, model)

    @guarded
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, model: Any = None, **_: Any) -> None:
        """Records the metrics of `predict`."""
        self._outside("predict", args, state, metrics, model)

    def _outside(self, kind: str, args: Any, state: Any, metrics: Mapping[str, Any] | None, model: Any) -> None:
        if state.is_world_process_zero and not self._fits.active and metrics:
            values = _renamed({name: value for name, value in metrics.items() if name != "epoch"})
            self._fits.outside(kind, values, state.global_step, **_facts(args, state, model, None))


def _renamed(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Gives `eval_loss` as `eval/loss`, `test_loss` as `test/loss`, all else as `train/…`."""
    return {f"{name[:4]}/{name[5:]}" if name.startswith(("eval_", "test_")) else f"train/{name}": value for name, value in logs.items()}


def _agreed(stop: bool, args: Any, state: Any) -> bool:
    """Whether any process wants to stop; asked where the Trainer logs, since it waits for all. One that leaves alone would leave the others waiting."""
    if state.global_step % max(1, int(state.logging_steps or 1)):
        return False
    torch = sys.modules["torch"]
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    wish = torch.tensor(int(stop), device=args.device)
    torch.distributed.all_reduce(wish, op=torch.distributed.ReduceOp.MAX)
    return bool(wish.item())


def _steps_of_epoch(args: Any, loader: Any) -> int:
    try:
        return max(1, math.ceil(len(loader) / max(1, args.gradient_accumulation_steps)))
    except TypeError:  # of no known length
        return 0


def _epoch(state: Any) -> int:
    """Gives the epoch that runs or has just ended, from 1 on."""
    return math.ceil(round(state.epoch or 0, 6))


def _epochs(args: Any, state: Any) -> int | None:
    """Gives how many epochs there will be; None: so many steps are wanted, whatever epochs they are."""
    epochs = int(state.num_train_epochs or 0)
    return epochs if args.max_steps <= 0 and epochs > 0 else None


def _facts(args: Any, state: Any, model: Any, loader: Any) -> dict[str, Any]:
    """Gives what the Trainer knows of the training, as arguments of `trainmon.init`. `to_dict` hides tokens."""
    config = {"framework": "transformers", **conversion.to_plain(args.to_dict())}
    of_model = getattr(model, "config", None)
    if of_model is not None:
        config["model"] = conversion.to_plain(of_model.to_dict())
    if model is not None:
        config["parameters"] = sum(weights.numel() for weights in model.parameters())
    facts: dict[str, Any] = {"config": config, "epochs": _epochs(args, state), "batch_size": args.train_batch_size, "learning_rate": args.learning_rate,
                             "model_type": getattr(of_model, "model_type", None) or type(model).__name__}
    if args.run_name and args.run_name != args.output_dir:
        facts["name"] = args.run_name
    if args.metric_for_best_model:
        name = f"eval/{args.metric_for_best_model.removeprefix('eval_')}"
        facts["best_metric"] = f"{COLUMNS.get(name, name)}:{'max' if args.greater_is_better else 'min'}"
    try:
        facts["dataset_size"] = len(loader.dataset)
    except (AttributeError, TypeError):
        facts["dataset_size"] = None
    return facts
