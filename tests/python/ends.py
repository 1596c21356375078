# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""How a run ended. `finish` waits at most 100 ms for the disk, so that on a busy machine the row says "running" for a little longer: the tests wait for it."""

import time

SECONDS = 60


def all_ended(store):
    """Gives all runs of a store, newest first, once none of them goes on."""
    end = time.monotonic() + SECONDS
    records = store.runs()
    while any(record.status == "running" for record in records) and time.monotonic() < end:
        time.sleep(0.01)
        store.recover()  # what a process left that did not wait for the disk
        records = store.runs()
    return records


def ended(store, id=None):
    """Gives a run, of a store with one run that one, once it does not go on."""
    if id is None:
        (record,) = all_ended(store)
        return record
    end = time.monotonic() + SECONDS
    while (record := store.run(id)).status == "running" and time.monotonic() < end:
        time.sleep(0.01)
        store.recover()
    return record
