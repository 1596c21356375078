# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Eight processes log to one store, each its own session, while another process queries all of them."""
from common import COMPLETED, LONG, Place, check, check_points, counts, finish, inspect, start

PROCESSES, THREADS, POINTS = 8, 2, 400000 if LONG else 40000


def main():
    points = retried = 0
    with Place() as place:
        sessions = [place.session() for _ in range(PROCESSES)]
        query = start("inspect", "query", place.store)
        trainers = [start("trainer", place.store, session, path, THREADS, 500, 10000, POINTS, "retry") for session, path in sessions]
        for trainer in trainers:
            finish(trainer)
        words = finish(query, line="end\n").split()
        for session, path in sessions:
            found = inspect(place.store, session, THREADS)
            check(found["status"] == COMPLETED, f"status {found['status']}, expected completed")
            points += check_points(found, counts(path), session)
            retried += found["dropped"]
        check(points == PROCESSES * THREADS * POINTS, f"{points} points, expected {PROCESSES * THREADS * POINTS}")
        check(int(words[1]) > 0, "nothing was queried")
    print(f"{PROCESSES} processes: {points} points, none lost or doubled ({retried} dropped, told and logged again), {words[1]} queries meanwhile")


main()
