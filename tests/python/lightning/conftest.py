# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the Lightning adapter share: both packages, a folder for each test."""

import importlib
import os
import pathlib
import sys

import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
torch.set_num_threads(1)
for name in list(os.environ):
    if name.startswith(("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_", "SLURM_", "JSM_", "PL_")):
        del os.environ[name]  # what a cluster sets here, of which these trainings are no part


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def package(request):
    """One of the two class trees."""
    return importlib.import_module(request.param)
