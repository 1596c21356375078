# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Figures of each class, counted on the device from what `validation_step` or `test_step` returns.

Nothing is read from the device before the epoch ends. The area under the curve comes from histograms of the class scores over their log-odds, so that it
costs no memory a sample; it is exact but for scores that fall into one bin.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SCORES = ("logits", "probs", "probabilities", "preds", "predictions", "pred", "y_hat")
TARGETS = ("targets", "target", "labels", "label", "y")
MAX_CLASSES = 1_024
MAX_KEYS = 10  # of a dict, in a message
MAX_AUC_CLASSES = 256
MAX_BINS, CELLS = 16_384, 2**20  # bins a class, and at most so many in all
LIMIT = 16.0  # log-odds beyond which scores are alike


class ClassFigures:
    """Counts the confusion matrix of one evaluation epoch."""

    def __init__(self, names: list[str] | None) -> None:
        """`names` of the classes, if they are known; their number fixes the size."""
        self.names = names
        self.size = len(names) if names else 0
        self.matrix: Any = None
        self.scores: Any = None  # histograms: (wrong, right) x class x bin
        self.reason = ""  # why a batch was left out
        self.columns = 0  # of scores
        self._highest: Any = None  # class number that came without scores

    def add(self, outputs: Any, batch: Any) -> None:
        """Counts one batch; outputs without predictions are left out."""
        if not isinstance(outputs, dict):
            self.reason = f"returned {'nothing' if outputs is None else type(outputs).__name__}"
            return
        kind = next((name for name in SCORES if outputs.get(name) is not None), None)
        target: Any = next((outputs[name] for name in TARGETS if outputs.get(name) is not None), None)
        if target is None and isinstance(batch, (list, tuple)) and len(batch) > 1:
            target = batch[1]
        if kind is None or not hasattr(target, "is_floating_point") or not hasattr(outputs[kind], "is_floating_point"):
            found = ", ".join(f"{str(name)!r:.40} ({type(value).__name__})" for name, value in list(outputs.items())[:MAX_KEYS])
            self.reason = f"returned a dict of {found or 'nothing'}"
            return
        scores, target = outputs[kind].detach(), target.detach()
        if target.is_floating_point():  # as binary losses want it
            target = target.round()
        if scores.is_floating_point():
            scores = _two_columns(scores, kind) if scores.ndim == 1 or scores.shape[1] == 1 else scores
            size, predicted = int(scores.shape[1]), scores.argmax(1)
        else:
            size, predicted = 0, scores
        predicted, target = predicted.reshape(-1).long(), target.reshape(-1).long()
        if predicted.shape != target.shape or not len(target):
            self.reason = f"returned {len(predicted)} predictions for {len(target)} targets"
            return
        self._note_classes(size, predicted, target)
        # Class numbers alone don't say how many there are: reading the highest waits for the device, so names of classes are better.
        self._grow(size or self.size or int(max(predicted.max(), target.max())) + 1, predicted)
        if self.matrix is None:
            return
        self._count(predicted, target)
        if scores.is_floating_point() and scores.ndim == 2 and kind in SCORES[:3] and size == self.size <= MAX_AUC_CLASSES:
            self._count_scores(scores.float().softmax(1) if kind == "logits" else scores.float(), target)

    def _note_classes(self, size: int, predicted: Any, target: Any) -> None:
        """Keeps how many classes there are, for names that are not as many."""
        self.columns = max(self.columns, size)
        if not size and self.names:
            highest = predicted.maximum(target).max()
            self._highest = highest if self._highest is None else self._highest.maximum(highest)

    def misfit(self) -> str:
        """Says how many classes there are when the names are not as many, else an empty text. Of class numbers it reads the highest from the device."""
        if not self.names:
            return ""
        if self.columns and self.columns != len(self.names):
            return f"{self.columns} classes"
        highest = -1 if self._highest is None else int(self._highest)
        return f"the class number {highest}" if highest >= len(self.names) else ""

    def all_names(self) -> list[str]:
        """Gives a name for each class that was counted."""
        return list(self.names or ()) + [f"class {number}" for number in range(len(self.names or ()), self.size)]

    def _grow(self, size: int, like: Any) -> None:
        if self.matrix is not None and size <= len(self.matrix):
            return
        size = max(size, self.size)
        if size > MAX_CLASSES:
            self.matrix, self.reason = None, f"returned scores of {size} classes, above {MAX_CLASSES}"
            return
        matrix = like.new_zeros((size, size))
        if self.matrix is not None:
            matrix[:len(self.matrix), :len(self.matrix)] = self.matrix
        self.matrix, self.size, self.scores = matrix, size, None

    def _count(self, predicted: Any, target: Any) -> None:
        size = self.size
        known = ((target >= 0) & (target < size) & (predicted >= 0) & (predicted < size)).long()  # not so: labels to be ignored
        places = (target.clamp(0, size - 1) * size + predicted.clamp(0, size - 1))
        self.matrix.view(-1).scatter_add_(0, places, known)

    def _count_scores(self, scores: Any, target: Any) -> None:
        if self.scores is None:
            self.scores = target.new_zeros((2, self.size, min(MAX_BINS, CELLS // self.size)))
        bin_count = self.scores.shape[2]
        classes = target.new_tensor(range(self.size))
        bins = ((scores.clamp(1e-7, 1 - 1e-7).logit() / LIMIT + 1) * (bin_count / 2)).long().clamp(0, bin_count - 1)
        right = (target.unsqueeze(1) == classes).long()
        known = ((target >= 0) & (target < self.size)).long().unsqueeze(1).expand_as(bins)
        places = (right * self.size + classes) * bin_count + bins
        self.scores.view(-1).scatter_add_(0, places.reshape(-1), known.reshape(-1))

    def reduce(self, strategy: Any) -> None:
        """Adds up what all processes counted; each has to call it. Nothing is left when one of them counted nothing."""
        if not strategy.reduce_boolean_decision(self.matrix is not None and (self.names is not None or self.scores is not None), all=True):
            self.matrix = self.scores = None
            return
        self.matrix = strategy.reduce(self.matrix, reduce_op="sum")
        if self.scores is not None:
            self.scores = strategy.reduce(self.scores, reduce_op="sum")

    def areas(self) -> list[float | None]:
        """Gives the area under the curve of each class against the others, None where it has no samples or there are no others."""
        if self.scores is None:
            return []
        found: list[float | None] = []
        wrong, right = self.scores.double().cpu()
        for others, own in zip(wrong, right, strict=True):
            pairs = float(others.sum() * own.sum())
            below = others.cumsum(0) - others / 2  # a tie counts half
            found.append(float((own * below).sum()) / pairs if pairs else None)
        return found

    def record(self, loop: Any, epoch: int, split: str) -> None:
        """Records the matrix and the figures of each class; `loop` is a trainmon.loop.Loop."""
        names = self.all_names()
        groups = [loop.groups.get(name) for name in names] if loop.groups else None
        loop.run.log_confusion(self.matrix.cpu(), names, epoch=epoch, split=split, groups=groups)
        areas = dict(zip(names, self.areas(), strict=False))
        if any(area is not None for area in areas.values()):
            # A row that is written stands in place of the one that the matrix gives: so it has to have all of its figures.
            kept = loop.run.store.results("validation_results", loop.run.id, epoch=epoch, by_epoch=True, dataset_split=split)
            loop.run.log_validation(epoch, {each["class_name"]: {**_figures(each), "auc_roc": areas[each["class_name"]]} for each in kept
                                            if each["class_name"] in areas}, split)


def _figures(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what a row of results says of a class."""
    names = ("class_group", "images", "instances", "support", "accuracy", "precision", "recall", "f1_score", "sensitivity", "specificity")
    return {name: kept[name] for name in names if kept.get(name) is not None}


def _two_columns(scores: Any, kind: str) -> Any:
    """Gives the scores of both classes where a model gives that of the second only."""
    import torch  # Lightning has it

    one = scores.reshape(-1, 1)
    return torch.cat((one * 0 if kind == "logits" else 1 - one, one), 1)
