# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""How a run ended. `finish` waits at most 100 ms for the disk, so that on a busy machine the row says "running" for a little longer: the tests wait for it."""

import time

SECONDS = 60


ENDS = ("completed", "failed", "cancelled", "interrupted")


def goes_on(store, record):
    """Tells whether a run goes on, or only its ring says how it ended: what the row says of it, and the last event, come when the disk has taken them."""
    if record.status == "running":
        return True
    kinds = [event["kind"] for event in store.events(record.id) if event["kind"] in ("started", "reopened", *ENDS)]
    return kinds != [] and kinds[-1] not in ENDS


def all_ended(store):
    """Gives all runs of a store, newest first, once none of them goes on."""
    end = time.monotonic() + SECONDS
    while any(goes_on(store, record) for record in store.runs()) and time.monotonic() < end:
        time.sleep(0.01)
        store.recover()  # what a process left that did not wait for the disk
    return store.runs()  # again: the ends may have come behind the last look


def ended(store, id=None):
    """Gives a run, of a store with one run that one, once it does not go on."""
    if id is None:
        (record,) = all_ended(store)
        return record
    end = time.monotonic() + SECONDS
    while goes_on(store, store.run(id)) and time.monotonic() < end:
        time.sleep(0.01)
        store.recover()
    return store.run(id)
