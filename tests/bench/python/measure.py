# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Measures one tracker in this process and prints JSON. usage: measure.py TRACKER FOLDER [POINTS]

A measurement that would take longer than its share of time is made with fewer calls and says how many; nothing is scaled up.
"""

import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import pathlib
import statistics
import sys
import time

from trackers import TRACKERS

SECONDS = 8  # for each measurement of calls
DICT = 8
BLOCK = 10


def resident():
    """Memory of this process in MB."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def size_of(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def calls(log, data, count, first):
    """Times of single calls in ns, without what it costs to look at the clock."""
    clock, times, end = time.perf_counter_ns, [], time.monotonic() + SECONDS
    looks = []
    for _ in range(1000):
        begin = clock()
        looks.append(clock() - begin)
    look = statistics.median(looks)
    for step in range(first, first + count):
        begin = clock()
        log(data, step)
        times.append(clock() - begin - look)
        if not step & 255 and time.monotonic() > end:
            break
    times.sort()
    # Looking at the clock stalls the processor, which shows in calls as short as these: the median is of blocks, the slow ones of single calls.
    blocks = []
    for first_of_block in range(first + count, first + count + len(times), BLOCK):
        begin = clock()
        for step in range(first_of_block, first_of_block + BLOCK):
            log(data, step)
        blocks.append((clock() - begin) / BLOCK)
        if time.monotonic() > end + SECONDS:
            break
    return {"p50": statistics.median(blocks), "mean": statistics.mean(blocks), "p99": times[len(times) * 99 // 100], "calls": len(times)}


def main():
    tracker_class, folder, points = TRACKERS[sys.argv[1]], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    result = {}
    before, begin = resident(), time.perf_counter()
    importlib.import_module(tracker_class.module)
    result["import_ms"] = (time.perf_counter() - begin) * 1e3
    result["import_mb"] = resident() - before
    distribution = {"sqlite3": "", "torch.utils.tensorboard": "torch", "lightning.pytorch.loggers": "lightning"}.get(tracker_class.module, tracker_class.module)
    result["version"] = importlib.metadata.version(distribution) if distribution else sys.version.split()[0]
    tracker = tracker_class(folder)
    begin = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        tracker.start()
        result["start_ms"] = (time.perf_counter() - begin) * 1e3
        gc.disable()
        one = {"train/loss": 0.5}
        many = {f"metric/{i}": i / 10 for i in range(DICT)}
        for step in range(200):
            tracker.log(one, step)
        result["one"] = calls(tracker.log, one, 20_000, 200)
        time.sleep(0.5)
        for step in range(50_000, 50_100):
            tracker.log(many, step)
        result["eight"] = calls(tracker.log, many, 20_000, 50_100)
        gc.enable()
        empty, value = size_of(folder), 1.0
        log, made, begin, end = tracker.log, 0, time.perf_counter(), time.monotonic() + 4 * SECONDS
        for step in range(100_000, 100_000 + points):
            value = value * 0.999999 + 1e-7 * (step % 7)
            log({"bulk": value}, step)
            made += 1
            if not step & 1023 and time.monotonic() > end:
                break
        logged = time.perf_counter()
        tracker.finish()
        result["finish_ms"] = (time.perf_counter() - logged) * 1e3
        os.sync()
        result["bulk_s"] = time.perf_counter() - begin
        result["bulk_points"] = made
        result["bytes_a_point"] = (size_of(folder) - empty) / made
        begin = time.perf_counter()
        found = tracker.read("bulk")
        result["read_s"] = None if found is None else time.perf_counter() - begin
    json.dump(result, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
