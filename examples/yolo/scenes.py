# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Scenes for a detector, composed of real handwritten digits (the UCI digits that scikit-learn ships), with labels as Ultralytics reads them.

The digits are real, the scenes are not: each has two to four digits, enlarged, placed without overlap on noise. No digit of a training scene is in a
validation scene.
"""

from pathlib import Path

import numpy
from PIL import Image
from sklearn.datasets import load_digits

SMALLEST, LARGEST = 19, 31  # pixels of a digit's side


def compose(digits, labels, size, random):
    """Gives one scene as an array of bytes, and a list of (class, x, y, width, height): centre and size as shares of the scene."""
    scene = random.integers(0, 60, (size, size)).astype(numpy.uint8)
    taken, boxes = [], []
    for _ in range(random.integers(2, 5)):
        side = int(random.integers(SMALLEST, LARGEST + 1))
        for _attempt in range(50):
            x, y = (int(place) for place in random.integers(0, size - side, 2))
            if all(x + side <= left or left + other <= x or y + side <= top or top + other <= y for left, top, other in taken):
                break
        else:
            continue
        which = int(random.integers(len(digits)))
        digit = Image.fromarray((digits[which] * 255 / 16).astype(numpy.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        pixels = numpy.asarray(digit)
        scene[y:y + side, x:x + side] = numpy.maximum(scene[y:y + side, x:x + side], pixels)
        rows, columns = numpy.nonzero(pixels > 64)
        left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        boxes.append((int(labels[which]), (x + (left + right) / 2) / size, (y + (top + bottom) / 2) / size, (right - left) / size, (bottom - top) / size))
        taken.append((x, y, side))
    return scene, boxes


def make(folder, train=320, val=80, size=96, seed=0):
    """Writes pictures, labels and data.yaml into `folder` and gives the path of data.yaml; what is there already is kept."""
    folder = Path(folder).resolve()
    description = folder / "data.yaml"
    if description.exists():
        return description
    random = numpy.random.default_rng(seed)
    digits, labels = load_digits(return_X_y=True)
    digits = digits.reshape(-1, 8, 8)
    order = random.permutation(len(digits))
    border = len(digits) * train // (train + val)
    for split, count, part in (("train", train, order[:border]), ("val", val, order[border:])):
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
        for number in range(count):
            scene, boxes = compose(digits[part], labels[part], size, random)
            Image.fromarray(scene).save(folder / "images" / split / f"{number:04d}.png")
            lines = (f"{name} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n" for name, x, y, width, height in boxes)
            (folder / "labels" / split / f"{number:04d}.txt").write_text("".join(lines))
    names = "".join(f"  {digit}: digit {digit}\n" for digit in range(10))
    description.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n{names}")
    return description
