# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Workers forked by a trainer that is killed: the trainer reads as dead and its locks are gone although the workers live."""
import os
import random
import signal
import time

from common import INTERRUPTED, LONG, Place, check, check_points, counts, fail, finish, inspect, kill, start


def alive(worker):
    with open(f"/proc/{worker}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def one_round(mode, length):
    workers = []
    with Place() as place:
        session, path = place.session()
        trainer = start("forked", place.store, session, path, mode)
        try:
            while (line := trainer.stdout.readline().split()) != ["forked"]:
                if not line:
                    fail(f"{mode}: {trainer.communicate()}")
                workers.append(int(line[1]))
            watcher = start("inspect", "recover", place.store, session)
            time.sleep(length)
            kill(trainer)
            check(all(alive(worker) for worker in workers), f"{mode}: a worker has died")
            watched = dict(line.split() for line in finish(watcher, line="now\n").splitlines())
            check(int(watched["status"]) == INTERRUPTED, f"{mode}: status {watched['status']} after recover with a living worker")
            check(int(watched["adopted"]) == 1, f"{mode}: {watched['adopted']} sessions adopted, expected 1")
            found = inspect(place.store, session, 1)
            check(all(alive(worker) for worker in workers), f"{mode}: a worker has died")
        finally:
            for worker in workers:
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        return check_points(found, counts(path), mode), int(watched["took"])


def main():
    chance = random.Random()
    for mode, rounds in (("child", 3), ("flush", 40 if LONG else 8)):
        results = [one_round(mode, chance.random() * 0.3) for _ in range(rounds)]
        print(f"forked workers outlive a killed trainer ({mode}): {rounds} rounds, {sum(result[0] for result in results)} points, none lost or doubled;"
              f" slowest recover {max(result[1] for result in results) / 1000:.0f} ms")


main()
