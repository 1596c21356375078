# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A folder of images, a class a folder: what is in it, the split, and the data sets that torch reads."""

import logging
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from PIL import Image

from retfound.errors import RetfoundError

logger = logging.getLogger("retfound")

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}


@dataclass
class Folder:
    """The images of a data set: classes by name, (path, class number) for training and validation, and the broken files that were left out."""

    classes: list
    train: list
    val: list
    broken: list


def scan(folder, val_fraction=0.2, seed=0):
    """Finds the images of a folder and splits them, each class by itself, the same for the same seed. RetfoundError: nothing to train on."""
    root = Path(folder)
    if not root.is_dir():
        raise RetfoundError(f"data.folder {folder}: no such folder; name one with --data, or make the stand-in: python -m retfound.data.prepare {folder}")
    given = (root / "train").is_dir() and (root / "val").is_dir()
    found = _images(root / "train" if given else root)
    if len(found) < 2:
        raise RetfoundError(f"data.folder {folder}: {len(found)} class{'es' * (len(found) != 1)} with images, expected 2 or more folders of images")
    classes = sorted(found)
    train = [(path, number) for number, name in enumerate(classes) for path in found[name]]
    if given:
        other = _images(root / "val")
        if unknown := sorted(set(other) - set(classes)):
            raise RetfoundError(f"data.folder {folder}: val/ has classes that train/ has not: {', '.join(unknown)}")
        val = [(path, classes.index(name)) for name in sorted(other) for path in other[name]]
    broken = _broken(train + (val if given else []))
    train = [entry for entry in train if entry[0] not in broken]
    if given:
        val = [entry for entry in val if entry[0] not in broken]
    else:
        train, val = _split(train, len(classes), val_fraction, seed)
    missing = [name for number, name in enumerate(classes) if not any(entry[1] == number for entry in train)]
    if missing or not val:
        what = f"no readable image to train with in {', '.join(missing)}" if missing else "no image to validate with"
        raise RetfoundError(f"data.folder {folder}: {what}")
    return Folder(classes, train, val, sorted(broken))


def _images(root):
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = {folder.name: sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES) for folder in folders}
    return {name: paths for name, paths in found.items() if paths}


def _broken(entries):
    """Gives the files that no image can be read from; truncated ones show only when they are decoded (see Images)."""
    def fails(path):
        try:
            with Image.open(path) as image:
                image.verify()
        except Exception:  # what Pillow raises for foreign bytes can be anything
            return True
        return False

    paths = [path for path, _ in entries]
    with ThreadPoolExecutor() as threads:
        return {path for path, bad in zip(paths, threads.map(fails, paths), strict=True) if bad}


def _split(entries, class_count, val_fraction, seed):
    dice, train, val = random.Random(seed), [], []
    for number in range(class_count):
        own = [entry for entry in entries if entry[1] == number]
        dice.shuffle(own)
        count = min(max(1, round(len(own) * val_fraction)), len(own) - 1) if len(own) > 1 else 0
        val += own[:count]
        train += own[count:]
    return sorted(train), sorted(val)


def read(path, size, channels):
    """Reads an image as bytes in the shape channels x size x size."""
    with Image.open(path) as opened:
        image = opened.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = numpy.asarray(image)
    return torch.from_numpy(pixels.reshape(size, size, channels).transpose(2, 0, 1).copy())


class Images(torch.utils.data.Dataset):
    """Images as bytes with their class numbers; kept in memory once read, as long as `cache_mb` lasts. A file that fails is None: `collate` drops it."""

    def __init__(self, entries, size, channels, cache_mb=0):
        """`entries`: (path, class number)."""
        self.entries, self.size, self.channels = entries, size, channels
        self.kept, self.room = {}, cache_mb * 2**20 // (size * size * channels)

    def __len__(self):
        """Counts the files."""
        return len(self.entries)

    def __getitem__(self, index):
        """Gives (bytes, class number), or None for a broken file."""
        if index in self.kept:
            return self.kept[index]
        path, number = self.entries[index]
        try:
            item = read(path, self.size, self.channels), number
        except Exception as error:
            logger.warning("%s is left out: %s", path, error)
            item = None
        if len(self.kept) < self.room:
            self.kept[index] = item
        return item


def collate(items):
    """Makes a batch of those images that could be read; None when there are none."""
    items = [item for item in items if item is not None]
    if not items:
        return None
    return torch.stack([image for image, _ in items]), torch.tensor([number for _, number in items])
