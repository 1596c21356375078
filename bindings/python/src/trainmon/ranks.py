# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Which process of a distributed training this is, as far as the environment tells before a framework does."""

from __future__ import annotations

import os

# In this order: torchrun and its like, Lightning's own launcher (which sets no RANK), SLURM, LSF.
VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
# The run of rank 0, for ranks that are started by it.
RUN_VARIABLE = "TRAINMON_RANK_RUN"


def current_rank() -> int:
    """Gives the rank of this process; 0 when it is alone."""
    for name in VARIABLES:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0
