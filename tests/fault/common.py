# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the drivers of the kill tests share: starting programs, reading counts and what tests/fault/inspect.c prints."""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import uuid

PROGRAMS = os.environ["FAULT_PROGRAMS"]
LONG = os.environ.get("LONG", "") not in ("", "0")
INTERRUPTED, COMPLETED, DROPPED = 5, 2, -14


def fail(text):
    print(f"FAILED: {text}", flush=True)
    sys.exit(1)


def check(condition, text):
    if not condition:
        fail(text)


def start(program, *arguments, ready=True, environment=None):
    child = subprocess.Popen([os.path.join(PROGRAMS, program), *map(str, arguments)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, **(environment or {})})
    if ready:
        line = child.stdout.readline()
        if not line.startswith("ready"):
            child.kill()
            fail(f"{program} {arguments}: {line!r} {child.communicate()[1]!r}")
    return child


def kill(child):
    """kill -9; a program that ended before that is a failure, with its own words."""
    child.send_signal(signal.SIGKILL)
    words = child.communicate()
    check(child.returncode == -signal.SIGKILL, f"{child.args} ended by itself: {child.returncode} {words}")


def finish(child, seconds=300, line=""):
    out, error = child.communicate(line, timeout=seconds)
    check(child.returncode == 0, f"{child.args} ended with {child.returncode}: {out!r} {error!r}")
    return out


def counts(path):
    """Of each thread: attempts, kept, dropped, wrong."""
    with open(path, "rb") as file:
        words = struct.unpack("64Q", file.read(512))
    return [words[8 * i:8 * i + 4] for i in range(8)]


def inspect(store, session, threads):
    found = {"metrics": {}}
    for line in finish(start("inspect", "points", store, session, threads, ready=False)).splitlines():
        words = line.split()
        if words[0] == "metric":
            names = ("count", "first", "last", "gaps", "disorder")
            found["metrics"][int(words[1])] = dict(zip(names, map(int, words[2:])))
        else:
            found[words[0]] = int(words[1])
    return found


class Place:
    """A folder for a store; the rings of dead sessions go with it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tmon-kill-")
        self.store = os.path.join(self.folder, "store")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def session(self):
        self.number = getattr(self, "number", 0) + 1
        return str(uuid.uuid4()), os.path.join(self.folder, f"counts{self.number}")


def check_points(found, counted, what):
    """Every point whose call had returned is there once; at most the one whose call was under way may be there too."""
    points = 0
    for index, metric in found["metrics"].items():
        attempts, kept, dropped, wrong = counted[index]
        check(wrong == 0, f"{what}: {wrong} log calls failed otherwise than by dropping")
        check(metric["disorder"] == 0 and metric["gaps"] == 0, f"{what}: m{index} is not 0, 1, 2, …: {metric}, counted {kept}")
        check(kept <= metric["count"] <= kept + 1, f"{what}: m{index} has {metric['count']} points, counted {kept}")
        points += metric["count"]
    return points
