# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a run records beside its points: pictures, results of classes, confusion matrices, benchmarks, data sets, trials."""

from __future__ import annotations

from trainmon import values as conversion
from trainmon._core import ffi, lib
from trainmon._native import new_struct, to_bytes
from trainmon.guard import Guarded, never_raises
from trainmon.image import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

NO_STEP = -(2**63)
MAX_BOXES = 256
LABEL_BYTES = 250
MAX_ROWS = 1024  # of one call of the library


class Results(Guarded):
    """The rare, wide rows of a run. The calls write to the store, so they belong between epochs; none of them raises for what is in a row."""

    if TYPE_CHECKING:
        id: str
        store: Any
        _session: Any

    @never_raises
    def log_image(self, name: str, image: Any, *, step: int | None = None, epoch: int | None = None, **fields: Any) -> None:
        """Shows a picture, an Image or what Image takes, in the stream `name`; the latest 20 of each are kept. Queued, not waited for."""
        try:
            picture = image if isinstance(image, Image) else Image(image, **fields)
        except Exception as error:  # whatever a foreign object or its converter raises
            self.warn_once(f"image:{name}", f"{name} is no picture: {error}")
            return
        options = new_struct("tmon_image", name=name, caption=picture.caption, prediction=picture.prediction, label=picture.label,
                          step=NO_STEP if step is None else self._whole("step", step),
                          epoch=-1 if epoch is None else self._whole("epoch", epoch), bytes=len(picture.data),
                          score=float("nan") if picture.score is None else float(picture.score), width=picture.width, height=picture.height,
                          channels=picture.channels)
        pixels = ffi.from_buffer(picture.data)
        options.data = pixels
        labels = [ffi.NULL if box["label"] is None else ffi.new("char[]", to_bytes(str(box["label"]), LABEL_BYTES)) for box in picture.boxes[:MAX_BOXES]]
        boxes = ffi.new("tmon_image_box[]", len(labels))
        for place, box, label in zip(boxes, picture.boxes, labels, strict=False):
            place.x, place.y, place.width, place.height = box["x"], box["y"], box["width"], box["height"]
            place.score, place.label = box["score"], label
        options.boxes, options.box_count = boxes, len(labels)
        if not picture.channels:
            options.width = options.height = 0
        self.attempt(lib.tmon_session_log_image, self._session, options)

    def _add(self, kind: int, row: Mapping[str, Any]) -> None:
        self._write(lib.tmon_result_add, ffi.NULL, self.store.handle, kind, to_bytes(conversion.to_json({"session_id": self.id, **row})))

    @never_raises
    def log_validation(self, epoch: int, classes: Mapping[str, Mapping[str, Any]], split: str = "val") -> None:
        """Records figures a class: `{"cat": {"precision": 0.9, "recall": 0.8, "f1_score": …, "sensitivity": …, "support": 12}}`."""
        rows = [{"class_name": str(name), **_finite(figures)} for name, figures in classes.items()]
        for begin in range(0, len(rows), MAX_ROWS):
            self._add(lib.TMON_RESULT_VALIDATION, {"epoch": self._whole("epoch", epoch), "dataset_split": split, "results": rows[begin:begin + MAX_ROWS]})

    @never_raises
    def log_confusion(self, matrix: Any, class_names: Sequence[str], *, epoch: int | None = None, split: str = "val",
                      groups: Sequence[str | None] | None = None) -> None:
        """Records a confusion matrix of counts: rows are true classes, columns predicted ones. Figures a class are derived from it."""
        rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
        counts = [int(count) for row in rows for count in row]
        names = [str(name) for name in class_names]
        if len(counts) != len(names) ** 2:
            self.warn_once("confusion", f"a confusion matrix of {len(counts)} counts does not fit {len(names)} classes: left out")
            return
        if groups is not None and len(groups) != len(names):
            self.warn_once("confusion groups", f"{len(groups)} groups do not fit {len(names)} classes: the matrix is recorded without groups")
            groups = None
        options = new_struct("tmon_confusion", epoch=-1 if epoch is None else self._whole("epoch", epoch), dataset_split=split,
                             class_count=len(names), class_names=names, counts=ffi.new("uint64_t[]", counts),
                             class_groups=None if groups is None else [None if group is None else str(group) for group in groups])
        self._write(lib.tmon_confusion_add, ffi.NULL, self.store.handle, self.id.encode(), options)

    @never_raises
    def log_benchmark(self, **row: Any) -> None:
        """Records how fast a model runs; fields in docs/reference/results.md, such as model_name, device, avg_inference_ms."""
        self._add(lib.TMON_RESULT_BENCHMARK, row)

    @never_raises
    def log_dataset(self, **row: Any) -> None:
        """Records what a data set holds; fields in docs/reference/results.md."""
        self._write(lib.tmon_result_add, ffi.NULL, self.store.handle, lib.TMON_RESULT_DATASET, to_bytes(conversion.to_json(row)))

    @never_raises
    def log_trial(self, **row: Any) -> None:
        """Records one trial of a search for hyper-parameters; fields in docs/reference/results.md."""
        self._add(lib.TMON_RESULT_TRIAL, row)


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out figures that are no finite number: they are missing, not text."""
    row: dict[str, Any] = {}
    for name, value in figures.items():
        if name in ("class_group", "group"):
            row[name] = value
            continue
        number = conversion.to_number(value)
        if number is not None and number - number == 0:
            row[name] = int(number) if name in ("support", "images", "instances") else number
    return row
