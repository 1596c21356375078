# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the importers share."""

import tarfile
from pathlib import Path

import pytest


@pytest.fixture
def unpack(tmp_path):
    """Unpacks the files that a real tool wrote (data/README.md) and gives their folder."""
    def unpack(name):
        with tarfile.open(Path(__file__).parent / "data" / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path / name)  # ours; the argument that makes it safe came with 3.11.4
        return tmp_path / name

    return unpack
