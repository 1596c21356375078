# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# ruff: noqa: PLR0917 (the arguments are those of torch, in their order)
"""A SummaryWriter as TensorBoard has it, that records a run. It needs neither torch nor tensorboard.

    from trainmon.tensorboard import SummaryWriter  # instead of torch.utils.tensorboard

    with SummaryWriter() as writer:
        writer.add_scalar("train/loss", loss, step)
"""

from __future__ import annotations

import os
import socket
import time

from trainmon import current, summaries
from trainmon.errors import StateError
from trainmon.image import Image
from trainmon.loop import Loop, guarded
from trainmon.loop import _detached as detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MARK = "trainmon-run"  # the file in log_dir that says which run it is
LABELS = 256


class SummaryWriter:
    """Takes the calls of `torch.utils.tensorboard.SummaryWriter` with their arguments. None of them raises for what is in a value; any thread may call.

    A writer is a run of its own, named by its `log_dir`; points lie in the store, not in `log_dir`. Without `global_step` each tag counts its own steps.
    """

    def __init__(self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10, flush_secs: int = 120,
                 filename_suffix: str = "", *, run: Any = None, **init: Any) -> None:
        """`log_dir` as of TensorBoard, made if it is missing. `purge_step`: the run that was recorded in this `log_dir` is continued, see the guide.

        `run`: records into that one instead and leaves it open at the end. `init`: arguments of `trainmon.init`. `max_queue`, `flush_secs` and
        `filename_suffix` mean nothing here: a value outlives a kill once the call has returned.
        """
        if not log_dir:
            log_dir = os.path.join("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self._init = {"name": self.log_dir, **init}
        self._loop = Loop(run)
        self._steps: dict[str, int] = {}
        self._first = 0
        self._highest = -1
        self._trials = 0
        self._dropped: set[str] = set()
        self._make_folder()
        self._open(self._marked() if purge_step is not None else None)

    # The run

    @property
    def run(self) -> Any:
        """The run that is recorded into."""
        return self._loop.run

    @guarded
    def _make_folder(self) -> None:
        os.makedirs(self.log_dir, exist_ok=True)

    def _marked(self) -> str | None:
        try:
            with open(os.path.join(self.log_dir, MARK), encoding="utf-8") as file:
                return file.read().strip() or None
        except OSError:
            return None

    @guarded
    def _mark(self) -> None:
        with open(os.path.join(self.log_dir, MARK), "w", encoding="utf-8") as file:
            file.write(f"{self.run.id}\n")

    def _open(self, id: str | None = None, **more: Any) -> None:
        """Opens the run without becoming what `trainmon.log` means, if something else is that."""
        script = current.peek()
        self._loop = Loop(self._loop.run, **{**self._init, **({"id": id} if id else {}), **more})
        self._loop.open(config={"log_dir": self.log_dir})
        if script is not None and not script.finished:
            current.restore(script)
        self._first = getattr(self.run, "_step", 0)
        self._steps.clear()
        if not self.run.disabled:
            self._mark()

    def _step(self, tag: str, step: Any) -> int:
        """Gives the step of a value, and opens a run again that was closed: the same one if nothing of it would be hidden, else one below it."""
        if self.run.finished and not self.run.disabled:
            if step is None or int(step) > self._highest:
                self._open(self.run.id)
            else:
                self._open(parent_id=self.run.id)
        if step is None:
            step = self._steps.get(tag, self._first)
            self._steps[tag] = step + 1
        self._highest = max(self._highest, int(step))
        return int(step)

    def _numbers(self, tag: str, values: Mapping[str, Any], global_step: Any, walltime: float | None) -> None:
        step = self._step(tag, global_step)
        values = {name: detached(value) for name, value in values.items()}  # torch warns of a number that gradients hang on
        if walltime is None:
            self.run.log(values, step)
        elif not self.run.disabled:
            for name, value in values.items():
                self.run.log_points(name, [step], [float(value)], [int(walltime * 1e6)])

    # Numbers

    @guarded
    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None, new_style: bool = False,
                   double_precision: bool = False) -> None:
        """Logs a number at a step; always in double precision. A tensor is read at once, since a loop may go on adding to it."""
        self._numbers(tag, {tag: scalar_value}, global_step, walltime)

    @guarded
    def add_scalars(self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None, walltime: float | None = None) -> None:
        """Logs several numbers, as `main_tag/tag`."""
        self._numbers(main_tag, {f"{main_tag}/{tag}": value for tag, value in tag_scalar_dict.items()}, global_step, walltime)

    @guarded
    def add_histogram(self, tag: str, values: Any, global_step: int | None = None, bins: Any = "tensorflow", walltime: float | None = None,
                      max_bins: int | None = None) -> None:
        """Logs what the values are like: `tag/min`, `/p05`, `/p50`, `/p95`, `/max`, `/mean`, `/std`. The bins are not kept."""
        figures = summaries.of_values(values)
        self._numbers(tag, {f"{tag}/{name}": value for name, value in figures.items()}, global_step, walltime)

    @guarded
    def add_histogram_raw(self, tag: str, min: float, max: float, num: int, sum: float, sum_squares: float, bucket_limits: Any, bucket_counts: Any,
                          global_step: int | None = None, walltime: float | None = None) -> None:
        """Logs the same figures of a histogram that was made elsewhere; quantiles are interpolated in its bins."""
        figures = summaries.of_buckets(min, max, count=num, total=sum, squares=sum_squares, limits=bucket_limits, counts=bucket_counts)
        self._numbers(tag, {f"{tag}/{name}": value for name, value in figures.items()}, global_step, walltime)

    @guarded
    def add_pr_curve(self, tag: str, labels: Any, predictions: Any, global_step: int | None = None, num_thresholds: int = 127, weights: Any = None,
                     walltime: float | None = None) -> None:
        """Logs `tag/average_precision`, exact, and `tag/precision` and `tag/recall` at 0.5. The curve is not kept."""
        figures = summaries.of_predictions(labels, predictions, weights)
        self._numbers(tag, {f"{tag}/{name}": value for name, value in figures.items()}, global_step, walltime)

    @guarded
    def add_pr_curve_raw(self, tag: str, true_positive_counts: Any, false_positive_counts: Any, true_negative_counts: Any, false_negative_counts: Any,
                         precision: Any, recall: Any, global_step: int | None = None, num_thresholds: int = 127, weights: Any = None,
                         walltime: float | None = None) -> None:
        """Logs `tag/average_precision` of a curve that was made elsewhere, as exact as its thresholds are close."""
        self._numbers(tag, {f"{tag}/average_precision": summaries.area(precision, recall)}, global_step, walltime)

    @guarded
    def add_hparams(self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any], hparam_domain_discrete: Any = None, run_name: str | None = None,
                    global_step: int | None = None) -> None:
        """Adds settings to the run's, logs the metrics, without `global_step` at the highest step so far, and records a trial. Makes no run of its own."""
        if not hasattr(hparam_dict, "items") or not hasattr(metric_dict, "items"):
            raise TypeError("hparam_dict and metric_dict should be dictionaries")
        if global_step is None and not self.run.finished:
            global_step = max(self._highest, 0)
        self._numbers("hparams", metric_dict, global_step, None)
        self.run.config.update(hparam_dict)
        self._trials += 1
        objective = next(iter(metric_dict), None)
        self.run.log_trial(experiment_name=self.log_dir, trial=self._trials, parameters=dict(hparam_dict), objective=objective,
                           objective_value=None if objective is None else float(metric_dict[objective]), extra={"run_name": run_name} if run_name else None)

    # Pictures

    @guarded
    def add_image(self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: float | None = None, dataformats: str = "CHW") -> None:
        """Shows a picture: uint8, or floats from 0 to 1; what lies outside is cut off."""
        self._picture(tag, Image(summaries.picture(img_tensor, dataformats)), global_step)

    @guarded
    def add_images(self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: float | None = None, dataformats: str = "NCHW") -> None:
        """Shows several pictures as one, in rows of eight."""
        self._picture(tag, Image(summaries.picture(img_tensor, dataformats)), global_step)

    @guarded
    def add_image_with_boxes(self, tag: str, img_tensor: Any, box_tensor: Any, global_step: int | None = None, walltime: float | None = None,
                             rescale: float = 1, dataformats: str = "CHW", labels: Any = None) -> None:
        """Shows a picture and boxes of corners (x1, y1, x2, y2) in pixels, which the page draws; `rescale` means nothing to it."""
        corners = summaries.array(box_tensor).reshape(-1, 4)
        labels = [labels] if isinstance(labels, str) else labels
        texts = labels if labels is not None and len(labels) == len(corners) else [None] * len(corners)
        boxes = [{"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1, "label": text} for (x1, y1, x2, y2), text in zip(corners, texts, strict=True)]
        self._picture(tag, Image(summaries.picture(img_tensor, dataformats), boxes=boxes[:LABELS]), global_step)

    @guarded
    def add_figure(self, tag: str, figure: Any, global_step: int | None = None, close: bool = True, walltime: float | None = None) -> None:
        """Shows a matplotlib figure, or each of a list, and closes it."""
        step = self._step(tag, global_step)
        for one in figure if isinstance(figure, list) else [figure]:
            self._picture(tag, Image(one), step)
            if close:
                import matplotlib.pyplot  # who has a figure has it

                matplotlib.pyplot.close(one)

    def _picture(self, tag: str, image: Image, step: Any) -> None:
        self.run.log_image(tag, image, step=self._step(tag, step))

    # Texts

    @guarded
    def add_text(self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None) -> None:
        """Records a text as an event; its first 4,000 characters."""
        step = self._step(tag, global_step)
        self.run.event("text", text_string, {"tag": tag}, step)

    # What is not kept

    def _drop(self, method: str) -> None:
        if method not in self._dropped:
            self._dropped.add(method)
            self.run.warn_once(f"writer:{method}", f"SummaryWriter.{method} is not kept")

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Takes what trainmon keeps nothing of: add_graph, add_embedding, add_video, add_audio, add_mesh, add_tensor, add_onnx_graph, add_custom_scalars…"""
        if name in UNKEPT:
            return lambda *_, **__: self._drop(name)
        raise AttributeError(f"'SummaryWriter' object has no attribute {name!r}")

    @property
    def file_writer(self) -> Any:
        """There is none: StateError."""
        raise StateError("trainmon's SummaryWriter writes no event file; Store.export gives one of a run")

    @property
    def all_writers(self) -> Any:
        """There are none: StateError."""
        return self.file_writer

    def _get_file_writer(self) -> Any:
        """There is none: StateError."""
        return self.file_writer

    # The end

    def get_logdir(self) -> str:
        """Gives `log_dir`."""
        return self.log_dir

    @guarded
    def flush(self) -> None:
        """Commits what was logged so far; waits for the disk."""
        if not self.run.finished:
            self.run.flush()

    @guarded
    def close(self) -> None:
        """Ends the run, if it is not the caller's. A call after it opens it again."""
        self._loop.close()

    def __enter__(self) -> SummaryWriter:
        """Gives the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Ends the run: failed after an exception, cancelled after Ctrl-C, else completed."""
        self._loop.close(error)


UNKEPT = frozenset(("add_audio", "add_custom_scalars", "add_custom_scalars_marginchart", "add_custom_scalars_multilinechart", "add_embedding", "add_graph",
                    "add_mesh", "add_onnx_graph", "add_tensor", "add_video"))
