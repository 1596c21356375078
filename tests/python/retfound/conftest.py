# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of examples/retfound share: real images written once, and the programs run as a user runs them."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import trainmon

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "retfound"
CONFIG = "configs/dataset_v6.1.yaml"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy knows this machine's own servers
sys.path.insert(0, str(EXAMPLE))


def environment(**more):
    """The environment of a program of the example: this package, and nothing that this machine's user has set."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINMON_", "MONITORING_", "WS_"))}
    return clean | {"PYTHONPATH": f"{EXAMPLE}:{Path(trainmon.__file__).parents[1]}", "OMP_NUM_THREADS": "1"} | more


def start(*arguments, **more):
    """Starts `python -m ARGUMENTS` in the working folder."""
    return subprocess.Popen([sys.executable, "-m", *arguments], env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments, status=0, **more):
    """Runs `python -m ARGUMENTS` to its end and gives what it printed: (stdout, stderr)."""
    process = start(*arguments, **more)
    out, err = process.communicate(timeout=600)
    assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
    return out, err


def workplace(folder, data):
    """Makes a folder in which the commands of the documents work as written."""
    shutil.copytree(EXAMPLE / "configs", folder / "configs")
    (folder / "data").mkdir()
    (folder / "data" / "v6.1").symlink_to(data)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The 20 classes of real images, 15 of each, written by the program."""
    folder = tmp_path_factory.mktemp("images") / "v6.1"
    out, _ = run("retfound.data.prepare", str(folder), "--per-class", "15")
    assert out.startswith("300 images of 20 classes")
    return folder


@pytest.fixture
def place(tmp_path, images):
    """The working folder of a test, with configs/ and data/v6.1."""
    return workplace(tmp_path, images)


class Server:
    """The server of the example as a process of its own; asked over HTTP."""

    def __init__(self, *arguments, **more):
        """Waits for the address."""
        self.process = start("retfound.monitoring.server", *arguments, **more)
        line = self.process.stdout.readline()
        found = re.search(r"https?://[^\s/]+", line)
        assert found, (line, self.process.stderr.read() if self.process.poll() is not None else "")
        self.url = found[0]

    def ask(self, path, body=None):
        """GET, or POST with a body; gives the JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with OPENER.open(request, timeout=60) as reply:
            return json.loads(reply.read())

    def until(self, path, true, seconds=180):
        """Asks until the answer is as wanted, and gives it."""
        end = time.monotonic() + seconds
        while True:
            try:
                answer = self.ask(path)
                if true(answer):
                    return answer
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503):  # which say that it be asked again
                    raise
                answer = error
            assert time.monotonic() < end, answer
            time.sleep(0.1)


@pytest.fixture
def server():
    """Gives a function that starts a server; all are ended after the test."""
    started = []

    def make(*arguments, **more):
        started.append(Server(*arguments, **more))
        return started[-1]

    yield make
    for one in started:
        one.process.terminate()
        one.process.communicate(timeout=60)
