# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a trainer or a validator of Ultralytics knows, read off its attributes, whatever its release calls them."""

from __future__ import annotations

import logging
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

logger = logging.getLogger("trainmon")

MATRIX_TASKS = ("detect", "obb", "pose")  # whose matrix is ours to fill; segmentation would draw masks, classification fills it by itself
SCORE = 0.25  # of predictions that count in a matrix; the framework validates with 0.001, which makes every matrix one of false alarms
BACKGROUND = "background"


def losses(trainer: Any, items: Any) -> dict[str, Any]:
    """Gives losses by name, as they are: nothing is read off a device. `items` is a dict in late releases, a tensor before."""
    if items is None:
        return {}
    if hasattr(items, "items"):
        found = {f"train/{name}": value for name, value in items.items()}
    else:
        names = list(getattr(trainer, "loss_names", ()) or ())
        names = [names] if isinstance(names, str) else names
        parts = list(items) if getattr(items, "ndim", 0) else [items]
        found = {f"train/{name}": value for name, value in zip(names, parts, strict=False)}
    return with_total(found, "train")


def epoch_losses(trainer: Any) -> dict[str, Any]:
    """Gives the mean losses of the epoch by name, rounded as the framework writes them; the one call that all releases have."""
    if getattr(trainer, "tloss", None) is None:
        return {}
    return with_total(dict(trainer.label_loss_items(trainer.tloss, prefix="train")), "train")


def with_total(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Adds the sum of the losses, unless one is called so already."""
    parts = [value for name, value in found.items() if name.startswith(f"{prefix}/") and name.endswith("loss")]
    if len(parts) > 1 and f"{prefix}/loss" not in found:
        found[f"{prefix}/loss"] = sum(parts[1:], parts[0])
    return found


def learning_rates(trainer: Any) -> dict[str, float]:
    """Gives the learning rate of each group of parameters as it is now."""
    return {f"lr/pg{index}": group["lr"] for index, group in enumerate(trainer.optimizer.param_groups)}


def gpu_memory_mb(trainer: Any) -> float | None:
    """Gives the memory that torch holds on the device of the training; None without a CUDA device."""
    torch = sys.modules.get("torch")
    device = getattr(trainer, "device", None)
    if torch is None or getattr(device, "type", "cpu") != "cuda":
        return None
    return float(torch.cuda.memory_reserved(device)) / 2**20


def class_names(source: Any) -> list[str]:
    """Gives the names of the classes of a validator or a data set in order, made different where two are the same."""
    names = source.names if hasattr(source, "names") else source.get("names")
    entries = [str(names[key]) for key in sorted(names)] if hasattr(names, "keys") else [str(name) for name in names or ()]
    taken: dict[str, int] = {}
    for index, name in enumerate(entries):
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            entries[index] = f"{name} ({index})"
    return entries


def class_results(validator: Any, groups: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Gives precision, recall and mAP of each class that the labels have; none for tasks whose results come from the matrix."""
    metrics = validator.metrics
    box = getattr(metrics, "box", None)
    index = getattr(box, "ap_class_index", None)
    if index is None or not len(index):
        return {}
    names = class_names(validator)
    labels = _first(getattr(metrics, "nt_per_class", None), getattr(validator, "nt_per_class", None))
    pictures = _first(getattr(metrics, "nt_per_image", None), getattr(validator, "nt_per_image", None))
    rows: dict[str, dict[str, Any]] = {}
    for place, number in enumerate(int(entry) for entry in index):
        row = _figures(box, place)
        row["sensitivity"] = row.get("recall")
        for part in ("seg", "pose"):
            if getattr(metrics, part, None) is not None:
                row.update({f"{part}_{name}": value for name, value in _figures(getattr(metrics, part), place).items()})
        if labels is not None:
            row["instances"] = row["support"] = labels[number]
        if pictures is not None:
            row["images"] = pictures[number]
        if names[number] in groups:
            row["class_group"] = groups[names[number]]
        rows[names[number]] = row
    return rows


def _figures(metric: Any, place: int) -> dict[str, Any]:
    figures = {"precision": metric.p, "recall": metric.r, "f1_score": metric.f1, "map50": metric.ap50, "map50_95": metric.ap}
    return {name: column[place] for name, column in figures.items() if len(column) > place}


def _first(*columns: Any) -> Any:
    return next((column for column in columns if column is not None and len(column)), None)


class MatrixFiller:
    """Fills a confusion matrix of its own while a validator runs: the framework leaves its own empty in the epochs of a detection.

    Nothing of the validator's changes: its matrix, its arguments and its pictures are those it would have had.
    """

    def __init__(self, validator: Any) -> None:
        """Puts itself before the validator's `update_metrics`."""
        self.matrix: Any = None
        self.failed = False
        self._validator = validator
        self._update = validator.update_metrics
        self._had = vars(validator).get("update_metrics")
        validator.update_metrics = self

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Runs the validator's method with plots on, which is when it fills a matrix, and hands it a matrix that tells both."""
        validator = self._validator
        theirs, plots = validator.confusion_matrix, validator.args.plots
        if self.matrix is None and not self.failed:
            self._try(self._make, theirs)
        if self.failed:
            return self._update(*arguments, **options)
        validator.confusion_matrix, validator.args.plots = _Both(self, theirs if plots else None), True
        try:
            return self._update(*arguments, **options)
        finally:
            validator.confusion_matrix, validator.args.plots = theirs, plots

    def _make(self, theirs: Any) -> None:
        import copy  # once a validation

        self.matrix = copy.deepcopy(theirs)
        self.matrix.matrix = theirs.matrix * 0
        if hasattr(self.matrix, "matches"):
            self.matrix.matches = None  # kept for pictures alone

    def fill(self, *arguments: Any, **options: Any) -> None:
        """Counts what the validator hands its matrix."""
        if not self.failed:
            self._try(self.matrix.process_batch, *arguments, **{**options, **({"conf": SCORE} if "conf" in options else {})})

    def _try(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Calls what the framework would not have called; an error of it ends the matrix and not the training."""
        try:
            call(*arguments, **options)
        except Exception as error:
            self.failed, self.matrix = True, None
            logger.warning("the confusion matrix of a validation failed and is left out, the training goes on: %r", error)

    def leave(self) -> None:
        """Gives the validator its method back."""
        if self._had is not None:
            self._validator.update_metrics = self._had
        else:
            vars(self._validator).pop("update_metrics", None)


class _Both:
    """Two matrices in the place of one: ours counts from a readable score on, theirs (where they want one) gets what it would have got."""

    def __init__(self, filler: MatrixFiller, theirs: Any) -> None:
        self._filler, self._ours, self._theirs = filler, filler.matrix, theirs

    def process_batch(self, *arguments: Any, **options: Any) -> None:
        self._filler.fill(*arguments, **options)
        if self._theirs is not None:
            self._theirs.process_batch(*arguments, **options)

    def plot_matches(self, *arguments: Any, **options: Any) -> None:
        if self._theirs is not None:
            self._theirs.plot_matches(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours if self._theirs is None else self._theirs, name)


def confusion(validator: Any, filler: MatrixFiller | None) -> tuple[Any, list[str]] | None:
    """Gives the matrix of a validation, rows true and columns predicted as we have it (theirs is the other way round), with the names; None: there is none."""
    found = filler.matrix if filler is not None else getattr(validator, "confusion_matrix", None)
    matrix = getattr(found, "matrix", None)
    if matrix is None or not matrix.sum():
        return None
    names = class_names(validator)
    if len(matrix) == len(names) + 1:
        names = [*names, BACKGROUND if BACKGROUND not in names else f"{BACKGROUND} (none)"]
    if len(matrix) != len(names):
        return None
    return matrix.T.round().astype("int64"), names


def is_complete(validator: Any, matrix: Any) -> bool:
    """Tells whether a matrix counts all labels: on several GPUs a process may have seen its share alone."""
    labels = _first(getattr(validator.metrics, "nt_per_class", None), getattr(validator, "nt_per_class", None))
    return labels is None or int(matrix[:len(labels)].sum()) == int(labels.sum())


def group_list(names: Sequence[str], groups: Mapping[str, str]) -> list[str | None] | None:
    """Gives the group of each class, or None when no class has one."""
    found = [groups.get(name) for name in names]
    return found if any(group is not None for group in found) else None
