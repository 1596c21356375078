# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A store on a full disk (a tmpfs of 8 MiB): the trainer runs on, drops at last, and every drop is counted; afterwards the store opens."""
import ctypes
import os
import random
import signal
import time

from common import COMPLETED, Place, check, counts, finish, inspect, start

POINTS = 1500000
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(folder):
    return LIBC.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=8m") == 0


def run(place, folder):
    """False: the trainer had logged most of its points before the disk was full, because this process had to stand still."""
    store = os.path.join(folder, "store")
    session, path = place.session()
    filler = os.path.join(folder, "filler")
    trainer = start("trainer", store, session, path, 2, 2000, 2000, POINTS, "go")
    time.sleep(0.3)
    trainer.send_signal(signal.SIGSTOP)
    begun = sum(count[0] for count in counts(path))
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(random.randbytes(4096))
        except OSError:
            pass
    trainer.send_signal(signal.SIGCONT)
    out = finish(trainer)
    if begun > POINTS:
        return False
    counted = counts(path)
    told = sum(count[2] for count in counted)
    check(sum(count[3] for count in counted) == 0, "a log call failed otherwise than by TMON_EDROPPED")
    check(told > 0, "nothing was dropped although the disk was full")
    check(int(out.split()[1]) == told, f"tmon_session_dropped says {out.split()[1]}, {told} calls told")
    early = inspect(store, session, 2)
    os.unlink(filler)
    found = inspect(store, session, 2)
    check(found["status"] == COMPLETED, f"status {found['status']}, expected completed")
    kept = 0
    for index, metric in found["metrics"].items():
        check(metric["disorder"] == 0, f"m{index}: {metric}")
        check(metric["count"] == counted[index][1], f"m{index}: {metric['count']} points, {counted[index][1]} calls gave TMON_OK")
        kept += metric["count"]
    attempts = sum(count[0] for count in counted)
    check(attempts == 2 * POINTS, f"{attempts} attempts, expected {2 * POINTS}")
    check(found["dropped"] == attempts - kept, f"the record shows {found['dropped']} dropped, expected {attempts} - {kept}")
    print(f"full disk: {attempts} attempts, {kept} kept, {found['dropped']} dropped = told = shown; while full the store opened"
          f" (status {early['status']}, {early['dropped']} dropped shown)")
    return True


def once():
    with Place() as place:
        folder = os.path.join(place.folder, "disk")
        os.mkdir(folder)
        if not mount(folder):
            print(f"full disk: skipped, mounting a tmpfs is not allowed here ({os.strerror(ctypes.get_errno())})")
            return True
        try:
            return run(place, folder)
        finally:
            LIBC.umount2(folder.encode(), 2)


def main():
    check(any(once() for _ in range(10)), "the disk was never full in time")


main()
