# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Pictures: what a training looks at, from files, bytes, Pillow, numpy, torch and matplotlib."""

from __future__ import annotations

import io
import math
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

JPEG_QUALITY = 85
SMALL = 96 * 96  # pixels up to which PNG, which loses nothing, costs little
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


class Image:
    """One picture to log: `run.log({"samples": trainmon.Image(x, caption="seven")})`.

    `data` is a path, encoded bytes (JPEG, PNG, WebP, GIF, BMP), a Pillow image, a matplotlib figure, or an array or tensor: height x width,
    height x width x channels, or channels x height x width as torch has them; 1, 3 or 4 channels; uint8, or floats (0..1, else scaled from
    their lowest to their highest). `boxes` is a list of dicts with x, y, width, height in pixels and perhaps label and score, or what wandb.Image takes.
    """

    def __init__(self, data: Any, caption: str | None = None, *, prediction: str | None = None, label: str | None = None,
                 score: float | None = None, boxes: Any = None, mode: str | None = None, **_unused: Any) -> None:
        """Converts at once, so that the array may change afterwards. ValueError: not a picture."""
        self.caption = caption
        self.prediction = None if prediction is None else str(prediction)
        self.label = None if label is None else str(label)
        self.score = score
        self.width = self.height = self.channels = 0
        self.data = self._encode(data, mode)
        self.boxes = list(_boxes(boxes, self.width, self.height)) if boxes else []

    def _encode(self, data: Any, mode: str | None) -> bytes:
        if isinstance(data, Image):
            self.width, self.height, self.channels = data.width, data.height, data.channels
            return data.data
        if isinstance(data, (str, os.PathLike)):
            with open(data, "rb") as file:
                return file.read()
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
        if hasattr(data, "savefig"):
            out = io.BytesIO()
            data.savefig(out, format="png")
            return out.getvalue()
        if hasattr(data, "save") and hasattr(data, "getbands"):
            return self._encode_pillow(data if mode is None else data.convert(mode))
        return self._encode_pixels(*_pixels(data))

    def _encode_pillow(self, picture: Any) -> bytes:
        if picture.mode not in CHANNELS:
            picture = picture.convert("RGB")
        self.width, self.height = picture.size
        out = io.BytesIO()
        if picture.mode == "RGBA" or self.width * self.height <= SMALL:
            picture.save(out, "PNG")
        else:
            picture.save(out, "JPEG", quality=JPEG_QUALITY)
        return out.getvalue()

    def _encode_pixels(self, pixels: bytes, width: int, height: int, channels: int) -> bytes:
        try:
            from PIL import Image as Pillow  # only where it is there
        except ImportError:  # the library keeps raw pixels too
            self.width, self.height, self.channels = width, height, channels
            return pixels
        mode = next(name for name, count in CHANNELS.items() if count == channels)
        return self._encode_pillow(Pillow.frombytes(mode, (width, height), pixels))


def _pixels(data: Any) -> tuple[bytes, int, int, int]:
    """Gives the bytes of an array or tensor with width, height and channels."""
    import numpy  # only for arrays

    from trainmon.summaries import array as to_array

    array = numpy.squeeze(to_array(data))
    if array.ndim == 0:
        array = array.reshape(1, 1)
    elif array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = numpy.moveaxis(array, 0, -1)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError(f"an array of shape {array.shape} is no picture: expected height x width, with 1, 3 or 4 channels first or last")
    if array.dtype != numpy.uint8:
        array = _to_bytes(array.astype(numpy.float64), numpy)
    return numpy.ascontiguousarray(array).tobytes(), array.shape[1], array.shape[0], channels


def _to_bytes(array: Any, numpy: Any) -> Any:
    array = numpy.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 255:
        array = (array / 2 - low / 2) / ((high / 2 - low / 2) or 1.0) * 255  # halves: the difference of two large numbers may be infinite
    elif high <= 1:
        array = array * 255
    return numpy.clip(numpy.rint(array), 0, 255).astype(numpy.uint8)


def _boxes(boxes: Any, width: int, height: int) -> Any:
    """Gives dicts of x, y, width, height, label, score out of a list of such, or of wandb's nested form."""
    if not isinstance(boxes, dict):
        for box in boxes:
            yield {"x": float(box["x"]), "y": float(box["y"]), "width": float(box["width"]), "height": float(box["height"]),
                   "label": box.get("label"), "score": float(box.get("score") or math.nan)}
        return
    for group in boxes.values():
        names = group.get("class_labels", {})
        for box in group.get("box_data", ()):
            place = box["position"]
            scale_x, scale_y = (1, 1) if box.get("domain") == "pixel" else (width, height)
            if "middle" in place:
                wide, high = place["width"] * scale_x, place["height"] * scale_y
                x, y = place["middle"][0] * scale_x - wide / 2, place["middle"][1] * scale_y - high / 2
            else:
                x, y = place["minX"] * scale_x, place["minY"] * scale_y
                wide, high = place["maxX"] * scale_x - x, place["maxY"] * scale_y - y
            scores = list((box.get("scores") or {}).values())
            yield {"x": x, "y": y, "width": wide, "height": high, "score": float(scores[0]) if scores else math.nan,
                   "label": box.get("box_caption") or str(names.get(box.get("class_id"), box.get("class_id", "")))}
