# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What listens to a training of Ultralytics: a method for each event that matters, around the Loop that all adapters share.

The run opens when the training is set up and not before, because what goes wrong in the constructor of a trainer is followed by no event that could end it.
Steps are global batches from 1 on, epochs count from 1.
"""

from __future__ import annotations

import os
import sys
import weakref

from trainmon import current
from trainmon import values as conversion
from trainmon.checks import check_groups, check_run, check_seconds, check_thresholds
from trainmon.loop import Loop, guarded
from trainmon.ultralytics import results
from trainmon.ultralytics.devices import rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_PAUSE = 7_200.0  # seconds on several GPUs, where the other processes give up waiting after three hours
FINAL = {"metrics/mAP50(B)": "final_map50", "metrics/mAP50-95(B)": "final_map50_95", "metrics/precision(B)": "final_precision",
         "metrics/recall(B)": "final_recall"}
OPTIONS = ("critical", "groups", "every_seconds", "pause", "stop", "hardware", "images", "confusion", "classes", "init")
BEST = {"classify": "metrics/accuracy_top1:max"}  # where the default, the highest mAP50-95, says nothing


class Monitor:
    """Records trainings; `attach` makes it. `run`: that of the latest training. Its methods are callbacks, called in the thread that trains."""

    EVENTS = ("on_pretrain_routine_end", "on_train_epoch_start", "on_train_batch_end", "on_train_epoch_end", "on_val_start", "on_val_end", "on_model_save",
              "on_fit_epoch_end", "on_train_end", "teardown")

    def __init__(self, run: Any = None, *, critical: Any = None, groups: Any = None, every_seconds: float = 0.1, pause: bool = True, stop: bool = True,
                 hardware: float = 5.0, images: bool = True, confusion: bool = True, classes: bool = True, init: Any = None) -> None:
        """Takes what `attach` takes."""
        self.given = check_run(run)
        self.critical, self.groups = check_thresholds("critical", critical), check_groups(groups)
        self.every_seconds, self.hardware = check_seconds("every_seconds", every_seconds), check_seconds("hardware", hardware or 0)
        self.pause, self.stop, self.images, self.confusion, self.classes = pause, stop, images, confusion, classes
        self.init = dict(init or {})
        self.handed_id: str | None = None  # of a run that another process records
        self.loop: Any = None
        self._forget()

    def _forget(self) -> None:
        """Begins anew: nothing is known of a training."""
        self._trainer: Any = None
        self._outer: Any = None
        self._filler: Any = None
        self._shown: dict[str, Any] = {}
        self._epoch_runs = self._validated = self._cut = self._ended = False
        self._batch = self._batches = self._step = self._epochs_done = self._images = 0
        self._paused = 0.0

    # Joining

    @property
    def run(self) -> Any:
        """The run of the latest training in this process; None when there was none."""
        return None if self.loop is None else self.loop.run

    @classmethod
    def find(cls, callbacks: Any) -> Any:
        """Gives the Monitor that callbacks have, or None."""
        owners = (getattr(function, "__self__", None) for entries in callbacks.values() for function in entries)
        return next((owner for owner in owners if isinstance(owner, cls)), None)

    def join(self, callbacks: Any) -> None:
        """Adds the methods to the callbacks of a model or trainer, in the place of those of another Monitor."""
        for entries in callbacks.values():
            entries[:] = [function for function in entries if not isinstance(getattr(function, "__self__", None), Monitor)]
        for event in self.EVENTS:
            callbacks.setdefault(event, []).append(getattr(self, event))

    def options(self) -> dict[str, Any]:
        """Gives what another process needs to record in the place of this one, as JSON can say it."""
        return {name: conversion.to_plain(getattr(self, name)) for name in OPTIONS}

    def __getstate__(self) -> dict[str, Any]:
        """Leaves live things behind: a copy, or another process, opens a run of its own."""
        return {name: getattr(self, name) for name in OPTIONS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begins anew with the options of another."""
        self.__init__(**state)  # type: ignore[misc]

    def _is(self, trainer: Any) -> bool:
        """Tells whether an event is of the training that is recorded."""
        return self.loop is not None and self.loop.live and self._trainer is not None and self._trainer() is trainer

    def _validates(self, validator: Any) -> bool:
        """Tells whether a validation is part of the training; one of its own is nobody's."""
        trainer = None if self._trainer is None else self._trainer()
        return trainer is not None and getattr(trainer, "validator", None) is validator and self._is(trainer)

    # Beginning

    @guarded
    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """Opens the run: all is set up, and from here on the framework tells the end."""
        if self._trainer is not None and self.loop is not None and not self._ended:  # older releases tell of no failure
            self.loop.close(RuntimeError("the training ended early; another one began"))
        self._forget()
        if rank() > 0:
            return
        self._trainer, self._outer = weakref.ref(trainer), sys.exc_info()[1]
        self.loop = Loop(self.given, seconds=self.every_seconds, pause=self.pause, stop=self.stop, critical=self.critical, groups=self.groups, **self.init)
        self.loop.open(**self._facts(trainer), **({"hardware": self.hardware} if self._opens() else {}))
        self._step = int(getattr(trainer, "start_epoch", 0)) * len(trainer.train_loader)
        if self.loop.live:
            self.loop.check_classes(results.class_names(trainer.data))
        self._record_dataset(trainer)
        self._show(trainer)

    def _opens(self) -> bool:
        """Tells whether the training gets a run of its own, rather than one that is there."""
        script = current.peek()
        has_script = script is not None and not script.finished and not self.init
        return not has_script and (self.given is None or self.given.finished)

    def _facts(self, trainer: Any) -> dict[str, Any]:
        args = vars(trainer.args)
        size = args.get("imgsz", 0)
        config = {**args, "nc": trainer.data.get("nc"), "train_images": _length(trainer.train_loader), "val_images": _length(trainer.test_loader),
                  "parameters": sum(parameter.numel() for parameter in trainer.model.parameters())}
        return {"config": config, "model_type": _stem(args.get("model")), "dataset_name": _dataset_name(args.get("data")), "epochs": int(trainer.epochs),
                "dataset_size": config["train_images"], "batch_size": int(trainer.batch_size), "learning_rate": float(args.get("lr0") or 0),
                "img_size": int(max(size) if isinstance(size, (list, tuple)) else size or 0), "best_metric": BEST.get(str(args.get("task")))}

    def _record_dataset(self, trainer: Any) -> None:
        """Describes the data set, once: a name that is there already is left as it is."""
        run, name = self.loop.run, _dataset_name(trainer.args.data)
        if not self.loop.live or not name or any(row["name"] == name for row in run.store.results("datasets")):
            return
        train, val = _length(trainer.train_loader), _length(trainer.test_loader)
        run.log_dataset(name=name, path=str(trainer.data.get("path") or trainer.args.data), format=f"ultralytics {trainer.args.task}", train_images=train,
                        val_images=val, total_images=train + val, num_classes=trainer.data.get("nc"), class_names=results.class_names(trainer.data)[:1000])

    # An epoch

    @guarded
    def on_train_epoch_start(self, trainer: Any) -> None:
        """An epoch begins, or begins anew after its batch did not fit into memory."""
        if not self._is(trainer):
            return
        self._epoch_runs, self._validated = True, False
        self._batch, self._batches = 0, len(trainer.train_loader)
        self._step = int(trainer.epoch) * self._batches
        self.loop.phase("train", int(trainer.epoch) + 1)

    @guarded
    def on_train_batch_end(self, trainer: Any) -> None:
        """Logs losses and learning rates; waits and stops as people want."""
        if not self._is(trainer):
            return
        self._batch += 1
        self._step += 1
        self.loop.log(self._step, {**results.losses(trainer, getattr(trainer, "loss_items", None)), **results.learning_rates(trainer)})
        size, all_images = int(trainer.batch_size), _length(trainer.train_loader)
        self._images += max(0, min(size, all_images - (self._batch - 1) * size))  # the last batch may be smaller
        self.loop.progress(epoch=int(trainer.epoch), epochs=int(trainer.epochs), batch=self._batch, batches=self._batches, images=self._images)
        self.loop.due()
        if not _is_distributed(trainer):  # else only at the end of an epoch, where the framework tells the other processes
            self._obey(trainer)

    @guarded
    def on_train_epoch_end(self, trainer: Any) -> None:
        """The batches of an epoch are done, validation follows."""
        if self._is(trainer):
            self._obey(trainer)

    def _obey(self, trainer: Any) -> None:
        """Waits while people want a pause, and takes that time out of the framework's clocks; sets its flag to stop, again if its own timer took it away."""
        if _is_distributed(trainer):
            self._wait_distributed()
        asked = self.loop.obey(pause=not _is_distributed(trainer))
        paused, self._paused = self.loop.paused_seconds - self._paused, self.loop.paused_seconds
        if paused > 0:
            for clock in ("train_time_start", "epoch_time_start"):
                if isinstance(getattr(trainer, clock, None), float):
                    setattr(trainer, clock, getattr(trainer, clock) + paused)
        if asked and not trainer.stop:
            self._cut = True
            trainer.stop = True

    def _wait_distributed(self) -> None:
        import time  # seldom

        if self.pause and self.loop.run.control == "pause":
            begin = time.monotonic()
            self.loop.run.wait_while_paused(LONGEST_PAUSE)
            self.loop.paused_seconds += time.monotonic() - begin

    # Validation

    @guarded
    def on_val_start(self, validator: Any) -> None:
        """Has a matrix filled, which the framework does not do while it trains."""
        if not self._validates(validator):
            return
        self.loop.phase("validate" if validator.training else "test", self._epochs_done + 1 if validator.training else None)
        if self._filler is not None:
            self._filler.leave()
            self._filler = None
        if self.confusion and validator.args.task in results.MATRIX_TASKS:
            self._filler = results.MatrixFiller(validator)

    @guarded
    def on_val_end(self, validator: Any) -> None:
        """Records the results of classes, and the matrix after them."""
        if not self._validates(validator):
            return
        filler, self._filler = self._filler, None
        if filler is not None:
            filler.leave()
        self._validated = True
        trainer = self._trainer()
        epoch, split = (int(trainer.epoch) + 1, "val") if validator.training else (self._epochs_done, "final")
        if self.classes and (classes := results.class_results(validator, self.groups)):
            self.loop.run.log_validation(epoch, classes, split)
        if self.confusion:
            self._record_confusion(validator, filler, epoch, split)
        if not validator.training:
            self._record_speed(trainer, validator)

    def _record_confusion(self, validator: Any, filler: Any, epoch: int, split: str) -> None:
        found = results.confusion(validator, filler)
        if found is None or (_is_distributed(self._trainer()) and not results.is_complete(validator, found[0])):
            return
        matrix, names = found
        self.loop.run.log_confusion(matrix, names, epoch=epoch, split=split, groups=results.group_list(names, self.groups))

    def _record_speed(self, trainer: Any, validator: Any) -> None:
        speed = conversion.to_number(validator.speed.get("inference"))
        if speed is not None and speed > 0:
            self.loop.run.log_benchmark(model_name=_stem(trainer.args.model), model_path=str(trainer.best), device=str(validator.device),
                                        img_size=int(max(trainer.args.imgsz) if isinstance(trainer.args.imgsz, list) else trainer.args.imgsz),
                                        avg_inference_ms=speed, throughput_fps=1000 / speed)

    # The end of an epoch

    @guarded
    def on_model_save(self, trainer: Any) -> None:
        """Tells of a checkpoint."""
        if not self._is(trainer):
            return
        fitness, best = conversion.to_number(getattr(trainer, "fitness", None)), conversion.to_number(getattr(trainer, "best_fitness", None))
        is_best = fitness is not None and fitness == best
        self.loop.run.event("checkpoint", str(trainer.best if is_best else trainer.last),
                            {"epoch": int(trainer.epoch) + 1, "best": is_best, "last": str(trainer.last), "fitness": fitness}, step=self._step)
        self._obey(trainer)

    @guarded
    def on_fit_epoch_end(self, trainer: Any) -> None:
        """Records an epoch; the call after the evaluation of the best weights is none, it gives the values "final/…"."""
        if not self._is(trainer):
            return
        if self._epoch_runs:
            self._epoch_runs = False
            self._record_epoch(trainer)
            self._obey(trainer)
        else:
            self._record_final(trainer)
        self._show(trainer)

    def _record_epoch(self, trainer: Any) -> None:
        self.loop.read()
        metrics = dict(getattr(trainer, "metrics", None) or {}) if self._validated else {}
        values = {**results.with_total(metrics, "val"), "fitness": getattr(trainer, "fitness", None) if self._validated else None,
                  "gpu_memory_mb": results.gpu_memory_mb(trainer)}
        values = {name: value for name, value in values.items() if conversion.to_number(value) is not None}
        self.loop.run.log(values, self._step)
        self._epochs_done = int(trainer.epoch) + 1
        rates = getattr(trainer, "lr", None) or results.learning_rates(trainer)
        row = {**results.epoch_losses(trainer), **values, **rates, "epoch_time": getattr(trainer, "epoch_time", None)}
        self.loop.run.log_epoch(self._epochs_done, {name: value for name, value in row.items() if value is not None})
        self.loop.progress(epoch=self._epochs_done, epochs=int(trainer.epochs), batch=0, batches=self._batches)
        self.loop.flush()

    def _record_final(self, trainer: Any) -> None:
        metrics = dict(getattr(trainer, "metrics", None) or {})
        numbers = {name: number for name, value in metrics.items() if (number := conversion.to_number(value)) is not None}
        self.loop.run.log({f"final/{name}": number for name, number in numbers.items()}, self._step)
        figures = {FINAL[name]: number for name, number in numbers.items() if name in FINAL}
        if figures:
            self.loop.run.update(**figures)

    def _show(self, trainer: Any) -> None:
        """Records the plots that the framework has written since the last look. It draws some in a thread, so they may come later."""
        if not self.images or not self.loop.live:
            return
        for source in (trainer, getattr(trainer, "validator", None)):
            for path, plot in list((getattr(source, "plots", None) or {}).items()):
                stamp = plot.get("timestamp") if isinstance(plot, dict) else None
                name = os.path.basename(str(path))
                if self._shown.get(str(path), self) == stamp or not os.path.isfile(path):
                    continue
                self._shown[str(path)] = stamp
                self.loop.run.log_image(f"plots/{os.path.splitext(name)[0]}"[:250], str(path), caption=name, step=self._step, epoch=self._epochs_done)

    # The end

    @guarded
    def on_train_end(self, trainer: Any) -> None:
        """The training came to its end in order."""
        if not self._is(trainer):
            return
        self._show(trainer)
        path = next((str(path) for path in (trainer.best, trainer.last) if os.path.isfile(path)), None)
        if path is not None:
            self.loop.run.update(model_path=path)
        self._ended = True

    @guarded
    def teardown(self, trainer: Any) -> None:
        """Ends the run. The framework says this after a failure too, and then without `on_train_end`."""
        if self.loop is None or self._trainer is None or self._trainer() is not trainer:
            return
        if self._filler is not None:
            self._filler.leave()
        error = sys.exc_info()[1]
        error = None if error is self._outer else error  # a training may be started where an exception is handled
        if error is None and not self._ended:
            error = RuntimeError("the training ended early, without on_train_end")
        self.loop.close(error, "cancelled" if self._cut else "completed")
        self._forget()


def _is_distributed(trainer: Any) -> bool:
    return (getattr(trainer, "world_size", 0) or 0) > 1


def _length(loader: Any) -> int:
    try:
        return len(loader.dataset)
    except Exception:  # a loader of the caller's own kind
        return 0


def _stem(path: Any) -> str | None:
    """Gives the last part of a path without its ending: "yolo11n" of "models/yolo11n.yaml"."""
    return os.path.splitext(os.path.basename(str(path).rstrip("/")))[0] if path else None


def _dataset_name(path: Any) -> str | None:
    """Gives the name of a data set's description, or of its folder where all are called alike: "coco8" of "coco8.yaml" and of "coco8/data.yaml"."""
    name = _stem(path)
    return (_stem(os.path.dirname(os.path.abspath(str(path)))) or name) if name in ("data", "dataset") else name
