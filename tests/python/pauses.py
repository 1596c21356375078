# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A person who pauses a training and lets it go on once it waits, however late it hears of that."""

import threading
import time

import trainmon

SECONDS = 60


def until_paused(store, id):
    """Waits until the training of a run waits."""
    end = time.monotonic() + SECONDS
    while not store.run(id).paused:
        assert time.monotonic() < end, store.run(id)
        time.sleep(0.01)


class Pause(threading.Thread):
    """Pauses a run at once. From when it waits on, it waits for `seconds`; after the thread's end `lasted` tells how long that was, 0 if it never waited."""

    def __init__(self, id, seconds=0.5, folder="trainmon"):
        super().__init__(daemon=True)
        self.store, self.id, self.seconds, self.lasted = trainmon.Store(folder), id, seconds, 0.0
        self.store.request(id, "pause")
        self.start()

    def run(self):
        try:
            until_paused(self.store, self.id)
            begin = time.monotonic()
            time.sleep(self.seconds)
            self.lasted = time.monotonic() - begin
        finally:
            self.store.request(self.id, "run")
            self.store.close()
