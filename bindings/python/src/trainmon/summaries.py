# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What is kept of histograms, precision-recall curves and batches of pictures: a few figures of them, and one picture."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
ROW = 8  # pictures beside each other
DIMENSIONS = {2: "HW", 3: "HWC", 4: "NHWC"}


def array(values: Any) -> Any:
    """Gives values, a tensor, a list or a number as a numpy array."""
    import numpy  # only where values are summed up

    for step in ("detach", "cpu"):
        values = getattr(values, step, lambda values=values: values)()
    if str(getattr(values, "dtype", "")) == "torch.bfloat16":  # numpy has no such type
        values = values.float()
    return numpy.asarray(values)


def of_values(values: Any) -> dict[str, float]:
    """Gives lowest, quantiles, highest, mean and standard deviation (of all, not of a sample) of the values. ValueError: there are none."""
    import numpy

    flat = array(values).reshape(-1).astype(numpy.float64)
    if not flat.size:
        raise ValueError("a histogram of no values")
    quantiles = numpy.quantile(flat, list(QUANTILES.values()))
    return {"min": float(flat.min()), **dict(zip(QUANTILES, map(float, quantiles), strict=True)), "max": float(flat.max()), "mean": float(flat.mean()),
            "std": float(flat.std())}


def of_buckets(low: float, high: float, *, count: float, total: float, squares: float, limits: Any, counts: Any) -> dict[str, float]:
    """Gives the same of a histogram, whose limits are the right ends of its bins."""
    import numpy

    if not count:
        raise ValueError("a histogram of no values")
    ends = numpy.clip(numpy.concatenate([[low], array(limits).astype(numpy.float64)]), low, high)
    shares = numpy.concatenate([[0.0], numpy.cumsum(array(counts).astype(numpy.float64))])
    quantiles = numpy.interp(numpy.array(list(QUANTILES.values())) * shares[-1], shares, ends)
    mean = float(total) / float(count)
    return {"min": float(low), **dict(zip(QUANTILES, map(float, quantiles), strict=True)), "max": float(high), "mean": mean,
            "std": math.sqrt(max(0.0, float(squares) / float(count) - mean * mean))}


def of_predictions(labels: Any, predictions: Any, weights: Any = None) -> dict[str, float]:
    """Gives the average precision, scikit-learn's, and precision and recall at 0.5 of a binary classifier. NaN: not defined."""
    import numpy

    truth, scores = array(labels).reshape(-1) > 0, array(predictions).reshape(-1).astype(numpy.float64)
    weight = numpy.broadcast_to(1.0 if weights is None else array(weights).astype(numpy.float64).reshape(-1), truth.shape)
    order = numpy.argsort(-scores, kind="stable")
    hits, calls = numpy.cumsum((weight * truth)[order]), numpy.cumsum(weight[order])
    last = numpy.flatnonzero(numpy.append(numpy.diff(scores[order]) != 0, True))  # equal scores share a threshold
    everything = hits[-1] if hits.size else 0.0
    called = scores >= 0.5
    hit, call = float((weight * (truth & called)).sum()), float((weight * called).sum())
    return {"average_precision": area((hits[last] / calls[last])[::-1], (hits[last] / everything)[::-1]) if everything else math.nan,
            "precision": hit / call if call else math.nan, "recall": hit / float(everything) if everything else math.nan}


def area(precision: Any, recall: Any) -> float:
    """Gives the area below a curve whose recall falls from one threshold to the next, as steps."""
    import numpy

    precision, recall = array(precision).astype(numpy.float64), array(recall).astype(numpy.float64)
    return float(((recall - numpy.append(recall[1:], 0.0)) * precision).sum())


def picture(pixels: Any, form: str) -> Any:
    """Gives a picture, or several as one, as uint8 of height x width x channels. `form` names the dimensions, such as "CHW". ValueError: they do not fit."""
    import numpy

    data, form = array(pixels), form.upper()
    wanted = DIMENSIONS.get(data.ndim, "")
    if sorted(form) != sorted(wanted):
        raise ValueError(f"pixels of shape {data.shape} are no {form}")
    data = data.transpose([form.index(name) for name in wanted])
    if data.dtype != numpy.uint8:
        data = numpy.clip(numpy.nan_to_num(data.astype(numpy.float32)) * 255, 0, 255).astype(numpy.uint8)
    return _grid(data, numpy) if data.ndim == 4 else data


def _grid(data: Any, numpy: Any) -> Any:
    count, height, width, channels = data.shape
    columns = min(count, ROW)
    rows = -(-count // columns)
    filled = numpy.zeros((rows * columns, height, width, channels), numpy.uint8)
    filled[:count] = data
    return filled.reshape(rows, columns, height, width, channels).swapaxes(1, 2).reshape(rows * height, columns * width, channels)
