# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""kill -9 of a trainer, and of a reader beside it, at random instants: every point whose call had returned is there exactly once."""
import os
import random
import sys
import time

from common import INTERRUPTED, LONG, Place, check, check_points, counts, fail, inspect, kill, start

# burst, pause in microseconds, ring bytes: slow, middling, large bursts, a burst far over the ring, full speed with a small ring
SHAPES = [(1, 1000, 4 << 20), (100, 2000, 4 << 20), (50000, 100000, 4 << 20), (400000, 300000, 4 << 20), (1 << 40, 0, 256 << 10)]


def one_round(place, number, chance, with_reader):
    session, path = place.session()
    burst, pause, ring = SHAPES[number % len(SHAPES)]
    trainer = start("trainer", place.store, session, path, 2, burst, pause, 0, "retry", ring)
    reader = start("inspect", "follow", place.store, session) if with_reader else None
    length = chance.choice((0.0, 0.05, 0.5, 1.3)) + chance.random() * 0.4
    moments = [(length, trainer)]
    if reader:
        moments.append((length * chance.uniform(0.3, 1.2), reader))
    begin = time.monotonic()
    for moment, child in sorted(moments, key=lambda pair: pair[0]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        kill(child)
    found = inspect(place.store, session, 2)
    check(found["status"] == INTERRUPTED, f"round {number}: status {found['status']} after a kill, expected interrupted")
    points = check_points(found, counts(path), f"round {number}")
    check(found["dropped"] <= sum(count[2] for count in counts(path)) + 2, f"round {number}: more drops shown than calls told")
    return points, found["dropped"], found["opened"]


def main():
    with_reader = "reader" in sys.argv
    rounds = 200 if LONG else 15
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    points = dropped = slowest = 0
    for number in range(rounds):
        with Place() as place:
            try:
                result = one_round(place, number, chance, with_reader)
            except SystemExit:
                fail(f"seed {seed}, round {number}")
        points, dropped, slowest = points + result[0], dropped + result[1], max(slowest, result[2])
    print(f"kill -9 of a trainer{' and a reader' if with_reader else ''}: {rounds} rounds, {points} points, none lost or doubled,"
          f" {dropped} dropped and counted; slowest adoption {slowest / 1000:.0f} ms (seed {seed})")


main()
