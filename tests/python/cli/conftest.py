# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the program share: a folder each, stores with real runs, live trainers, the program as a process and at a terminal."""

import codecs
import contextlib
import fcntl
import json
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from ends import ended

import trainmon
from trainmon.cli import ports

PROGRAM = (sys.executable, "-m", "trainmon")
TRAINER = """
import time, trainmon
with trainmon.init(project="live", name="live", epochs=1000, hardware=0) as run:
    step = 0
    while not run.should_stop and step < 60_000:
        run.wait_while_paused()
        run.log({"train/loss": 1 / (step + 1), "train/acc": step / 1000}, step)
        run.progress(epoch=step // 100, epochs=1000)
        if step == 0:
            print(run.id, flush=True)
        step += 1
        time.sleep(0.005)
    if run.should_stop:
        run.finish(status="cancelled")
"""


@pytest.fixture(autouse=True)
def _bare_terminal(_own_folder, monkeypatch):
    """Each test has a terminal of which the environment says nothing."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


class Done:
    """What a process said."""

    def __init__(self, process):
        """Keeps the exit code and both outputs."""
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        """The one document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def cli():
    """Runs the program with some words in a process, without a terminal."""

    def call(*words, **options):
        options = {"capture_output": True, "text": True, "timeout": 300, "stdin": subprocess.DEVNULL, **options}
        return Done(subprocess.run([*PROGRAM, *map(str, words)], check=False, **options))

    return call


@pytest.fixture
def at_terminal():
    """Runs the program at a pseudo-terminal of some size; `typed` is what somebody types, `until` ends with Ctrl-C once it was seen."""

    def call(*words, columns=80, rows=24, typed="", until=None, env=None):
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            # An environment of ours: readline, which pytest loads, puts COLUMNS into that of C.
            os.execve(PROGRAM[0], [*PROGRAM, *map(str, words)], {**os.environ, **(env or {})})
        said, end, waiting, interrupted = "", time.monotonic() + 300, bool(typed), False
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a piece may end within a letter
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:  # it has ended
                    break
                if not piece:
                    break
                said += decoder.decode(piece)
            if waiting and "[y/N]" in said:
                os.write(terminal, typed.encode())
                waiting = False
            if until and not interrupted and until(said):
                os.write(terminal, b"\x03")
                interrupted = True
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), said.replace("\r\n", "\n")

    return call


def record_run(name, losses, *, folder=None, status="completed", **options):
    """Records a run with an epoch a loss, and gives its id."""
    run = trainmon.init(name=name, dir=folder, hardware=0, epochs=len(losses), reinit="create_new", **options)
    for epoch, loss in enumerate(losses):
        for step in range(50):
            run.log({"train/loss": loss + 0.01 * (49 - step), "train/acc": 1 - loss}, epoch * 50 + step)
        run.log_epoch(epoch, {"val/loss": loss, "val/acc": 1 - loss})
        run.progress(epoch=epoch + 1, epochs=len(losses))
    run.flush()
    return finished(run, status=status)


def finished(run, **end):
    """Ends a run; gives its id once the store has the end, for which `finish` itself does not wait."""
    run.finish(**end)
    assert ended(run.store, run.id).status != "running"
    return run.id


def free_port():
    """A port that nobody listens on; where it can be, none of those that the kernel gives to who asks for any, so that it stays free."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        low, high = map(int, file.read().split())
    others = [port for port in range(10_000, 65_000) if not low <= port <= high] or range(low, high)
    return next(port for port in random.SystemRandom().sample(others, 100) if ports.is_free("127.0.0.1", port))


@pytest.fixture
def two_runs():
    """A store with two runs; gives their ids."""
    return [record_run("narrow", [0.5, 0.25], project="digits", config={"lr": 0.1, "layers": [8, 8], "seed": 1}, tags=["paper"], model_type="mlp"),
            record_run("wide", [0.4, 0.125], project="digits", config={"lr": 0.1, "layers": [64, 64], "seed": 1}, model_type="mlp", notes="better")]


@pytest.fixture
def trainer():
    """Starts trainer processes that log until they are stopped; gives (process, id of the run)."""
    started = []

    def start():
        process = subprocess.Popen([sys.executable, "-c", TRAINER], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        process.stdout.close()
