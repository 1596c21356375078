# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Measures one tracker in this process. usage: measure.py TRACKER FOLDER calls|POINTS

Prints a line of JSON when a phase begins, {"phase": name}, and one with its figures when it ends: so there is something of a tracker that has to be killed. A
measurement that would take longer than its share of time is made with fewer calls and says how many; nothing is scaled up. "calls": the
times of single calls; else so many points go to the disk. Each is a process and a run of its own: what calls leave behind would be tidied up with the points.
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

from trackers import TRACKERS, environment

SECONDS = 2  # for each measurement of calls
BULK_SECONDS = 10  # for the calls of the million
DICT = 8
BLOCK = 10
NAME = "bulk"
printed = sys.stdout  # trackers print too


def tell(**values):
    printed.write(json.dumps(values) + "\n")
    printed.flush()


def resident():
    """Memory in MB of this process and of those that it started."""
    pages, parents = {}, {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(pages.get(pid, 0) for pid in family) * os.sysconf("SC_PAGE_SIZE") / 1e6


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


def start(tracker_class, folder):
    """Imports and starts a tracker; gives it."""
    tell(phase="import")
    before, begin = resident(), time.perf_counter()
    importlib.import_module(tracker_class.module)
    seconds = time.perf_counter() - begin
    distribution = {"sqlite3": "", "torch.utils.tensorboard": "torch", "lightning.pytorch.loggers": "lightning"}.get(tracker_class.module, tracker_class.module)
    version = importlib.metadata.version(distribution) if distribution else sys.version.split()[0]
    tell(import_ms=seconds * 1e3, import_mb=resident() - before, version=version)
    tracker = tracker_class(folder)
    tell(phase="start")
    begin = time.perf_counter()
    tracker.start()
    tell(start_ms=(time.perf_counter() - begin) * 1e3)
    return tracker


def single_calls(tracker):
    """The times of a call with one value, and with a dict of 8."""
    tell(phase="one")
    gc.disable()
    one = {"train/loss": 0.5}
    many = {f"metric/{i}": i / 10 for i in range(DICT)}
    for step in range(200):
        tracker.log(one, step)
    tell(one=calls(tracker.log, one, 20_000, 200))
    time.sleep(0.5)
    tell(phase="eight")
    for step in range(50_000, 50_100):
        tracker.log(many, step)
    tell(eight=calls(tracker.log, many, 20_000, 50_100))
    gc.enable()


def bulk(tracker, folder, points):
    """Points of one metric until they are on the disk, and read back."""
    tell(phase="bulk")
    empty, before, value = size_of(folder), resident(), 1.0
    log, made, begin, end = tracker.log, 0, time.perf_counter(), time.monotonic() + BULK_SECONDS
    for step in range(100_000, 100_000 + points):
        value = value * 0.999999 + 1e-7 * (step % 7)
        log({NAME: value}, step)
        made += 1
        if not step & 127 and time.monotonic() > end:
            break
    logged = time.perf_counter()
    tell(bulk_points=made, log_s=logged - begin, memory_mb=resident() - before)
    tell(phase="finish")
    tracker.finish()
    finished = time.perf_counter()
    os.sync()
    tell(finish_ms=(finished - logged) * 1e3, bulk_s=time.perf_counter() - begin)
    tell(phase="read")
    begin = time.perf_counter()
    found = tracker.read(NAME)
    tell(read_s=None if found is None else time.perf_counter() - begin, read_values=None if found is None else len(found))
    tell(phase="count")
    stored = tracker.stored(NAME)
    stored = None if stored is None else min(stored, made)
    tell(stored=stored, empty=empty)  # what it takes on the disk is looked at when this process has ended and its logs are folded


def main():
    name, folder, what = sys.argv[1:4]
    os.environ.update(environment(folder))
    with contextlib.redirect_stdout(sys.stderr):
        tracker = start(TRACKERS[name], folder)
        if what == "calls":
            single_calls(tracker)
            tracker.finish()
        else:
            bulk(tracker, folder, int(what))
    tell(phase="exit")


if __name__ == "__main__":
    main()
