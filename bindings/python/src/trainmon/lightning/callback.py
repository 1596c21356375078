# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The callback: phases, progress, losses, epochs, classes, checkpoints, pause and stop.

What costs a wait for the device or a message between processes is done seldom: losses are read every `every_seconds`, the Trainer's metrics at the end of
epochs, and there on all ranks, since reading them may compute across processes. All other work is that of rank 0.
"""

from __future__ import annotations

import math
import time

from trainmon import current
from trainmon.checks import check_names, check_seconds, only_known
from trainmon.lightning import facts
from trainmon.lightning import session as sessions
from trainmon.lightning.bases import Based
from trainmon.lightning.classes import ClassFigures
from trainmon.lightning.doubts import Doubts
from trainmon.lightning.epochs import TRAIN_LOSSES, Fresh, Mean, row
from trainmon.lightning.evaluation import Evaluation
from trainmon.lightning.logger import OWN_LOSS, TrainMonLogger
from trainmon.lightning.previews import Previews
from trainmon.lightning.rates import Rates
from trainmon.loop import guarded, read_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

AGREE_BATCHES = 20  # between agreements of all ranks on whether to stop
PAUSE_CAP = 60.0  # seconds that rank 0 waits between two batches while others wait for it: far below the timeout of process groups
MAX_LOSSES = 4_096  # kept until they are read
LOOK_SECONDS = 0.1  # between looks at what people want, at most
PHASE_SECONDS = 1.0  # between events of phases seen before


class TrainMonCallback(Based):
    """A Lightning callback that records a training to a run and obeys its pause and stop; see `trainmon.lightning`. It never raises into the training."""

    room, base = "callbacks", "Callback"

    def __init__(self, run: Any = None, *, every_seconds: float = 0.2, critical: Mapping[str, float] | None = None, groups: Mapping[str, str] | None = None,
                 pause: bool = True, stop: bool = True, hardware: float = 5.0, images: str | Callable[[Any], Any] | None = None,
                 class_names: Sequence[str] | None = None, confusion: bool | None = None, resume: bool = False, **init: Any) -> None:
        """`run`: one that is open already; else the one of `trainmon.init`, else a new one; further arguments go to `trainmon.init`.

        `every_seconds`: how often values are read from the device. `critical`: least sensitivity by class name; `groups`: group by class name. `pause`, `stop`:
        whether people may. `hardware`: seconds between figures of the machine, 0 for none. `images`: previews, by the name of their stream or a function of the
        batch. `class_names`: by default `.classes` of the data. `confusion`: whether figures a class are counted from what validation_step returns;
        None: where it returns them. `resume`: a fit with `ckpt_path` goes on in the run that wrote the checkpoint.
        TypeError or ValueError names the argument that is wrong; one that is unknown is told by a warning and left out.
        """
        super().__init__()
        init = only_known("TrainMonCallback", init, TrainMonCallback.__init__, current.init)
        options = {**init} if hardware == 5.0 else {"hardware": hardware, **init}
        check_seconds("every_seconds", every_seconds)
        self.session = sessions.Session(run, seconds=every_seconds, pause=pause, stop=stop, critical=critical, groups=groups, **options)
        self.session.deferred = resume
        self.session.wait_for_logger()
        self._resume, self._confusion, self._given_names, self._stops = resume, confusion is None or confusion, check_names("class_names", class_names), stop
        self._doubts = Doubts(critical=critical, class_names=class_names, confusion=confusion)
        self._names: list[str] | None = None
        self._previews = Previews(images) if images else None
        self._figures: ClassFigures | None = None
        self._evaluation: Evaluation | None = None  # that a stop may end
        self._fresh_epoch, self._fresh_step, self._mean, self._rates = Fresh(), Fresh(), Mean(), Rates()
        self._row_epoch: int | None = None
        self._epoch = 0
        self._row: dict[str, float] = {}  # the last values of a run's fits
        self._other: dict[str, float] = {}  # those of a validation or test by itself
        self._of: str | None = None  # the id of the run that these and the images belong to
        self._off = self._many = False
        self._last_step = 0  # that ends the fit within an epoch; 0: there is none
        self._logger: Any = None
        self._steps: Any = None  # what counts the steps of loggers
        self._world = self._factor = 1
        self._losses: list[tuple[int, int, Any]] | None = None  # of batches since the last reading: step, time, loss; None: no run
        self._full = self._known = self._size = 0  # batches of the epoch that are as large as the first; those of which that is known; how large
        self._images = self._next_tick = self._next_read = 0
        self._epoch_begin = self._paused_before = 0.0
        self._phases: dict[str, float] = {}
        self._phase = ""

    @property
    def run(self) -> Any:
        """The run; None before there is one and on other ranks than 0."""
        return self.session.loop.run

    # Begin and end

    @guarded
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Opens the run."""
        self._off = bool(trainer.fast_dev_run)  # Lightning takes the loggers away then; a trial of the code is no training
        self._many = trainer.world_size > 1
        sessions.stop_waiting(self.session)
        if self._off or not trainer.is_global_zero:
            return
        self._logger = next((each for each in trainer.loggers if isinstance(each, TrainMonLogger)), None)
        self._share(self._logger)
        session = self.session
        if stage == "fit":
            session.begin_fit(trainer, keep=self._logger is not None)
        session.deferred = self._resume and stage == "fit" and not session.live
        self._phase, self._phases = "", {}
        if session.id is None or session.id != self._of:
            self._row, self._other, self._epoch, self._images = {}, {}, 0, 0
        if not session.deferred:
            session.open(**facts.at_setup(trainer, pl_module))
            self._of = session.id

    @guarded
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Opens a run that goes on where its checkpoint was written: only now has Lightning read that."""
        if self.session.deferred and trainer.is_global_zero and not self._off:
            self.session.deferred = False
            self.session.open(**facts.at_setup(trainer, pl_module))
            self._of = self.session.id

    def _share(self, logger: Any) -> None:
        """Takes over the session of the Trainer's logger, with the settings of this callback."""
        if logger is None or logger.session is self.session:
            return
        own, theirs = self.session.loop, logger.session.loop
        if own.live and not theirs.live:
            logger.session = self.session
            return
        for name in ("seconds", "critical", "groups", "_pause", "_stop"):
            setattr(theirs, name, getattr(own, name))
        theirs._init = {**own._init, **theirs._init}
        self.session = logger.session

    def state_dict(self) -> dict[str, Any]:
        """Gives what a checkpoint keeps: the id of the run and the images so far."""
        return {"run_id": self.session.id, "images": self._images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what a checkpoint kept."""
        self._images = int(state_dict.get("images", 0))
        if self._resume and self.session.deferred:
            self.session.id = state_dict.get("run_id") or self.session.id

    @guarded
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Ends the run, unless it is the script's own."""
        self.session.cut, self._evaluation = False, None
        if not self.session.live:
            return
        self._read_losses()
        run = self.session.loop.run
        for callback in trainer.checkpoint_callbacks:
            self.session.checkpoint(callback)
        stage = str(getattr(stage, "value", stage))
        if self._other:
            run.summary.update({name if name.startswith(stage) else f"{stage}/{name}": value for name, value in self._other.items()})
            self._other = {}
        if stage == "fit":
            sessions.note_obeyed(self.session.loop)
        if self._row and stage == "fit":
            run.summary.update({**self._row, "epochs": self._epoch, "global_step": trainer.global_step})
            loss = next((self._row[name] for name in ("val_loss", "val/loss", OWN_LOSS, *TRAIN_LOSSES) if name in self._row), None)
            if loss is not None:
                run.update(final_loss=loss)
        self.session.close()

    @guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Ends the run as failed, or as cancelled after Ctrl-C."""
        if self.session.live:
            self._read_losses()
            if trainer.state.fn == "fit" and self._steps is not None and self._row_epoch is None:
                self._tell(trainer, trainer.current_epoch, self._steps.batch_progress.current.completed)
        self.session.close(exception)

    # Training

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Completes what is known of the training."""
        self._fresh_epoch.take(trainer.callback_metrics)
        self._row_epoch = None
        self._mean.take()
        if self.session.live:
            self.session.loop.update(facts.at_start(trainer))
            self._names = facts.class_names(trainer, self._given_names)
            if self._names and self._confusion:
                self.session.loop.check_classes(self._names)

    @guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begins an epoch, and completes the row of the one before."""
        self._complete_row(trainer)
        # Lightning divides the loss of automatic optimisation by the batches that it accumulates.
        self._factor = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
        self._world, self._steps = trainer.world_size, trainer.fit_loop.epoch_loop
        self._epoch_begin, self._paused_before = time.monotonic(), self.session.loop.paused_seconds
        self._full, self._known = facts.full_batches(trainer.train_dataloader), 0
        self._losses = [] if self.session.live else None
        self._rates.begin(self._images, self.session.loop.paused_seconds)
        self._enter("train", trainer.current_epoch)
        if self.session.live:
            self.session.loop.run.log(facts.learning_rates(trainer), _step(trainer))
        self._last_step = facts.last_step(trainer)
        self._tell(trainer, trainer.current_epoch, 0)

    def _tell(self, trainer: Any, epoch: int, batch: int) -> None:
        """Keeps how far the training is; one that ends at a step, within an epoch, is told in steps."""
        epochs, batches = max(0, trainer.max_epochs or 0), facts.batches(trainer.num_training_batches)
        if self._last_step:
            epochs, batch, batches = 0, trainer.global_step, self._last_step
        self.session.loop.progress(epoch=epoch, epochs=epochs, batch=batch, batches=batches, images=self._images)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keeps the loss of the batch as it is, and seldom does the rest: between batches caches are cold, and any call takes microseconds."""
        losses = self._losses
        if losses is not None:
            now = time.time_ns()
            losses.append((self._steps._batches_that_stepped, now, outputs.get("loss") if isinstance(outputs, dict) else outputs))
            if batch_idx >= self._known:
                self._size, self._known = facts.batch_size(batch) * self._world, self._full
            self._images += self._size
            if now >= self._next_tick or len(losses) >= MAX_LOSSES:
                self._tick(trainer, batch, batch_idx)
        if self._many and self._stops and (batch_idx + 1) % AGREE_BATCHES == 0:
            self._agree(trainer)

    @guarded
    def _tick(self, trainer: Any, batch: Any, batch_idx: int) -> None:
        """Looks at what people want, every `every_seconds` reads the losses, and more seldom says how far and how fast it goes."""
        loop, now = self.session.loop, time.time_ns()
        self._next_tick = now + int(min(loop.seconds, LOOK_SECONDS) * 1e9)
        if not self.session.live:
            self._losses = None
            return
        asked = loop.stop_asked or loop.run.control != "run"
        if asked or now >= self._next_read or len(self._losses or ()) >= MAX_LOSSES:
            self._next_read = now + int(loop.seconds * 1e9)
            self._read_losses()
            self._tell(trainer, trainer.current_epoch, batch_idx + 1)
            if self._logger is None:
                loop.log(self._steps._batches_that_stepped, _as_logged(self._fresh_step.take(trainer.callback_metrics, self._fresh_epoch)))
                loop.read()
            if self._rates.due:
                self._log_rates(trainer)
                loop.flush()
            if self._previews is not None:
                self._previews.show(loop.run, batch, self._steps._batches_that_stepped, self._names)
        if asked and loop.obey(timeout=PAUSE_CAP if self._many else None) and not self._many:
            trainer.should_stop = True

    def _read_losses(self) -> None:
        """Logs the losses that were kept, with the steps and times at which they came; on a device this is the one wait for it."""
        if not self._losses:
            return
        self._rates.batches += len(self._losses)
        kept, self._losses = [entry for entry in self._losses if entry[2] is not None], []
        if kept:
            steps, times, losses = zip(*kept, strict=True)
            numbers = [math.nan if number is None else number * self._factor for number in read_numbers(losses)]
            self._mean.add(numbers)
            name = "train/batch_loss" if self._logger is not None and self._logger.has_loss else OWN_LOSS
            self.session.loop.run.log_points(name, steps, numbers, [at // 1000 for at in times])

    def _log_rates(self, trainer: Any) -> None:
        """Logs learning rates, and the speed of the batches whose losses were read since the last time."""
        speed = self._rates.take(self._images, self.session.loop.paused_seconds)
        if speed:
            self.session.loop.run.log({**facts.learning_rates(trainer), **speed}, self._steps._batches_that_stepped)

    @guarded
    def _agree(self, trainer: Any) -> None:
        """Stops all ranks at the same batch: each calls it, one message between them."""
        if trainer.strategy.reduce_boolean_decision(self.session.loop.stop_asked, all=False):
            trainer.should_stop = True

    @guarded
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Records the row of the epoch."""
        fresh = self._fresh_epoch.take(trainer.callback_metrics)
        self._row_epoch = trainer.current_epoch
        if self.session.live:
            loop = self.session.loop
            self._read_losses()
            self._log_rates(trainer)
            loop.progress(images=self._images)
            loop.flush()
            values = row(fresh)
            mean = self._mean.take()
            if mean is not None and not any(name in values for name in TRAIN_LOSSES):
                values[OWN_LOSS] = mean
            rates = facts.learning_rates(trainer)
            if rates:
                values["learning_rate"] = next(iter(rates.values()))
            values["epoch_time_seconds"] = time.monotonic() - self._epoch_begin - (loop.paused_seconds - self._paused_before)
            self._write_row(trainer, fresh, values)
            done = self._steps.batch_progress.current.completed
            early = done < facts.batches(trainer.num_training_batches)  # a stop, or max_time
            self._tell(trainer, trainer.current_epoch + (not early), done if early else 0)
            self._epoch = trainer.current_epoch + 1
        if self._many and self._stops:
            self._agree(trainer)

    def _complete_row(self, trainer: Any) -> None:
        """Adds what the module logged at the end of the epoch, after this callback."""
        if self._row_epoch is None:
            return
        fresh = self._fresh_epoch.take(trainer.callback_metrics)
        if self.session.live and fresh:
            self._write_row(trainer, fresh, row(fresh), self._row_epoch)
        self._row_epoch = None

    def _write_row(self, trainer: Any, fresh: Mapping[str, Any], values: dict[str, float], epoch: int | None = None) -> None:
        run = self.session.loop.run
        if values:
            self.session.log_epoch(trainer.current_epoch if epoch is None else epoch, values)
            self._row.update(values)
        if self._logger is None and fresh:
            run.log(_as_logged(fresh), max(0, _step(trainer) - 1))

    @guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Completes the last row."""
        self._complete_row(trainer)
        self.session.loop.flush()

    # Evaluation

    @guarded
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Enters the phase "validate"; a sanity check is one of its own and leaves no values. Its time is none of the training's speed."""
        if self.session.live and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._read_losses()
            self._log_rates(trainer)
        self._begin_evaluation(trainer, "sanity" if trainer.sanity_checking else "validate")

    @guarded
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        """Enters the phase "test"."""
        self._begin_evaluation(trainer, "test")

    @guarded
    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Enters the phase "predict"."""
        self._enter("predict")
        self._figures = None
        self._make_stoppable(trainer)

    def _begin_evaluation(self, trainer: Any, phase: str) -> None:
        self._enter(phase, trainer.current_epoch)
        self._figures = None
        self._make_stoppable(trainer)
        if self._confusion and phase != "sanity" and not self._off:
            self._names = facts.class_names(trainer, self._given_names)
            self._figures = ClassFigures(self._names)

    def _make_stoppable(self, trainer: Any) -> None:
        """Lets a stop end an evaluation by itself, unless a fit has obeyed that stop already: the test after it is wanted.

        Of several processes none may end before the others, and they can't agree in between: they may have different numbers of batches.
        """
        session = self.session
        session.cut, self._evaluation = False, None
        if self._stops and not self._many and trainer.state.fn != "fit" and session.live and not sessions.obeyed(session.loop.run):
            self._evaluation = Evaluation(trainer)

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:  # noqa: PLR0917
        """Counts the classes of the batch."""
        self._count(outputs, batch)

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:  # noqa: PLR0917
        """Counts the classes of the batch."""
        self._count(outputs, batch)

    def on_predict_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:  # noqa: PLR0917
        """Waits while people want a pause."""
        self._count(None, batch)

    @guarded
    def _count(self, outputs: Any, batch: Any) -> None:
        if self._figures is not None:
            try:
                self._figures.add(outputs, batch)
            except Exception:
                self._figures = ClassFigures(self._names)  # nothing of it is recorded: half of the counts would be wrong
                self._confusion = self._many and self._confusion
                raise
        evaluation, session = self._evaluation, self.session
        if evaluation is not None:
            evaluation.batches += 1
        if session.live:
            session.loop.due()
            session.loop.obey(timeout=PAUSE_CAP if self._many else None)
            if evaluation is not None and session.loop.run.should_stop and evaluation.cut():
                session.cut = True
                session.loop.run.event("cut", evaluation.name, evaluation.extent())

    @guarded
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Records the values and classes of a validation."""
        self._rates.begin(self._images, self.session.loop.paused_seconds)
        if not trainer.sanity_checking:
            self._end_evaluation(trainer, "val")

    @guarded
    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Records the values and classes of a test."""
        self._end_evaluation(trainer, "test")

    def _end_evaluation(self, trainer: Any, split: str) -> None:
        fresh = self._fresh_epoch.take(trainer.callback_metrics)
        figures, self._figures = self._figures, None
        if figures is not None and self._many:
            figures.reduce(trainer.strategy)
        if not self.session.live or self.session.cut:  # figures of a part would be taken for those of the whole
            return
        fitting = trainer.state.fn == "fit"
        epoch = trainer.current_epoch if fitting else max(0, self._epoch - 1)
        if figures is not None:
            self._doubts.look(figures, self.session.loop, "test_step" if split == "test" else "validation_step")
            if figures.matrix is not None:
                figures.record(self.session.loop, epoch, split)
        values = row(fresh)
        if fitting:
            self._write_row(trainer, fresh, values)
            self._enter("train", trainer.current_epoch)
        else:
            self._other.update(values)
            if self._logger is None and fresh:
                self.session.loop.run.log(_as_logged(fresh), max(0, _step(trainer) - 1))

    # Phases

    def _enter(self, phase: str, epoch: int | None = None) -> None:
        """Records a change of phase; one that was seen less than a second ago is left out, so that short epochs don't fill the store."""
        if phase == self._phase or not self.session.live:
            return
        self._phase, now = phase, time.monotonic()
        if now >= self._phases.get(phase, 0.0):
            self._phases[phase] = now + PHASE_SECONDS
            self.session.loop.phase(phase, epoch)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what Lightning hangs on a callback and what is found again at setup."""
        return {name: value for name, value in self.__dict__.items() if name not in ("log", "log_dict")} | {"_logger": None, "_figures": None, "_steps": None,
                                                                                                                   "_evaluation": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In another process the logger that was made with this callback finds it as here."""
        self.__dict__.update(state)
        if self.session.id is None:
            self.session.wait_for_logger()


def _step(trainer: Any) -> int:
    """Gives the step of Lightning's loggers: batches that stepped, whatever the number of optimizers; global_step counts each of these."""
    loop = getattr(trainer.fit_loop, "epoch_loop", None)
    return int(getattr(loop, "_batches_that_stepped", trainer.global_step))


def _as_logged(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the values under the names that a logger sees: of x, x_step and x_epoch not x."""
    return {name: value for name, value in metrics.items() if f"{name}_step" not in metrics and f"{name}_epoch" not in metrics}
