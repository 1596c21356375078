# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Lightning: a callback and a logger, for `lightning.pytorch` and for `pytorch_lightning`, whichever the script uses.

    from trainmon.lightning import TrainMonCallback, TrainMonLogger

    Trainer(callbacks=[TrainMonCallback()], logger=TrainMonLogger())

The callback records phases, progress, the loss of each batch, epochs, classes and checkpoints, and lets people pause and stop; the logger takes what the module
logs. Together they feed one run; each works without the other.
"""

from __future__ import annotations

from trainmon.lightning.callback import TrainMonCallback
from trainmon.lightning.logger import TrainMonLogger

__all__ = ["TrainMonCallback", "TrainMonLogger"]
