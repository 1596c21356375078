# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Monitoring: the callback, the server (`python -m retfound.monitoring.server`) and the demonstration (`python -m retfound.monitoring.demo`).

`logging.getLogger("retfound.monitoring")` is a child of trainmon's logger: what is set there on handlers and level holds here too.
"""

import logging
import os

from trainmon.monitoring import create_monitoring_callback as _create

__all__ = ["create_monitoring_callback", "store_path"]

logging.getLogger("retfound")  # made first, or it would become the parent when it is made
logger = logging.getLogger("retfound.monitoring")
logger.parent = logging.getLogger("trainmon")

HARDWARE_SECONDS = 1.0  # also the trainings of this example that take only a few seconds shall show the machine
DEFAULT_STORE = "./monitoring.db"


def store_path():
    """Gives the store: $MONITORING_DB_PATH, else $TRAINMON_DIR, else ./monitoring. A name that ends in .db means the folder without the suffix."""
    path = os.environ.get("MONITORING_DB_PATH") or os.environ.get("TRAINMON_DIR") or os.environ.get("TRAINMON_STORE") or DEFAULT_STORE
    return path.removesuffix(".db") or path


def create_monitoring_callback(callback_type="retfound", update_frequency=10, critical_thresholds=None, enable_class_monitoring=True,
                               enable_system_monitoring=True, **init):
    """Gives the callback for `trainer.callbacks`; see trainmon.monitoring. It writes to the store that the server of this package shows."""
    init.setdefault("dir", store_path())
    if enable_system_monitoring:
        init.setdefault("hardware", HARDWARE_SECONDS)
    logger.debug("callback %s, %s updates a second, store %s", callback_type, update_frequency, init["dir"])
    return _create(callback_type, update_frequency, critical_thresholds, enable_class_monitoring, enable_system_monitoring, **init)
