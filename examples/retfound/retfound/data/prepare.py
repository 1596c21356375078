# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Writes the stand-in data set: 20 folders of real images, clothes of Fashion-MNIST and handwritten digits of scikit-learn, as PNG files.

    python -m retfound.data.prepare ./data/v6.1 --per-class 200

Medical images are not part of this example. Fashion-MNIST is read where Debian's package dataset-fashion-mnist puts it; the digits come with scikit-learn.
"""

import argparse
import gzip
import sys
from pathlib import Path

import numpy
from PIL import Image

from retfound.errors import RetfoundError

SOURCE = Path("/usr/share/datasets/fashion-mnist")
FASHION = ("t_shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot")


def read_idx(path):
    """Reads a gzipped IDX file of bytes as an array."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise RetfoundError(f"{path} is no IDX file of bytes")
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape)


def fashion(source):
    """Gives the images of Fashion-MNIST and the number of the class of each."""
    try:
        return read_idx(source / "train-images-idx3-ubyte.gz"), read_idx(source / "train-labels-idx1-ubyte.gz")
    except OSError as error:
        raise RetfoundError(f"Fashion-MNIST can't be read: {error}; install Debian's dataset-fashion-mnist or name its folder with --source") from None


def digits():
    """Gives scikit-learn's 1,797 handwritten digits, 8x8 of 0 to 16, as 28x28 bytes, and the digit of each."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise RetfoundError("the digits need scikit-learn: pip install scikit-learn") from None
    data = load_digits()
    small = (data.images * (255 / 16)).round().astype(numpy.uint8)
    return numpy.stack([numpy.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BILINEAR)) for image in small]), data.target


def prepare(folder, per_class=200, source=SOURCE):
    """Writes at most `per_class` images of each of the 20 classes (the digits have some 178 each) and gives how many were written."""
    if per_class < 1:
        raise RetfoundError(f"--per-class is {per_class}, expected 1 or more")
    written = 0
    for prefix, names, (images, labels) in (("fashion", FASHION, fashion(Path(source))), ("digit", "0123456789", digits())):
        for number, name in enumerate(names):
            target = Path(folder) / f"{prefix}_{name}"
            target.mkdir(parents=True, exist_ok=True)
            for index in numpy.flatnonzero(labels == number)[:per_class]:
                Image.fromarray(images[index]).save(target / f"{index:05d}.png")
                written += 1
    return written


def main():
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m retfound.data.prepare", description="Writes 20 classes of real images: Fashion-MNIST and digits.")
    parser.add_argument("folder", metavar="DIR", help="where the 20 folders go")
    parser.add_argument("--per-class", type=int, default=200, metavar="N", help="images a class at most (200)")
    parser.add_argument("--source", default=SOURCE, help=f"folder of the four files of Fashion-MNIST ({SOURCE})")
    given = parser.parse_args()
    try:
        print(f"{prepare(given.folder, given.per_class, given.source)} images of 20 classes in {given.folder}")
    except (RetfoundError, OSError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
