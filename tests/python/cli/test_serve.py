# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The page's process: `trainmon serve`, `init(dashboard=...)`, and a port that is taken."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import PROGRAM, free_port, record_run

import trainmon
from trainmon.cli import ports, serve
from trainmon.server import Dashboard


def ask(url, path="api/status"):
    with urllib.request.urlopen(url + path, timeout=60) as answer:
        return json.load(answer)


@contextlib.contextmanager
def serving(*words):
    """Runs `trainmon serve`; gives its process and address."""
    process = subprocess.Popen([*PROGRAM, "serve", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def taken():
    """A port that a program which is not ours listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_serve_prints_its_address_and_serves_the_store():
    id = record_run("shown", [0.5])
    with serving("--port", "0") as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert ask(url, f"api/training/sessions/{id}")["session"]["session_name"] == "shown"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_options_are_passed_on(cli):
    record_run("shown", [0.5], folder="other")
    with serving("other", "--port=0", "--read-only") as (_process, url):
        assert ask(url)["read_only"] and ask(url)["store"].endswith("/other")
    with serving("--store", "other", "--port", "0", "--json") as (process, line):
        assert ask(json.loads(line)["url"])["store"].endswith("/other")
        process.terminate()
        assert process.wait(60) == 0
    bad = cli("serve", "--nonsense")
    assert bad.code == 2 and "--nonsense" in bad.err
    outside = cli("serve", "--host", "0.0.0.0", "--port", "0")
    assert outside.code == 2 and "token" in outside.err


def test_words_are_told_apart():
    assert serve.split(["runs", "--port", "1", "--open", "--store", "a", "--ws-compression", "--host=::1"]) == (
        ["--open", "--store", "a"], ["--port", "1", "--ws-compression", "--host", "::1"], "runs")
    assert serve.split(["--port"]) == ([], ["--port"], None)


def test_a_taken_port_says_by_whom(cli, taken):
    done = cli("serve", "--port", taken)
    assert done.code == 1 and f"port {taken} is taken by python" in done.err and f"--port {taken + 1}" in done.err
    record_run("shown", [0.5])
    with serving("--port", "0") as (process, url):
        port = url.rstrip("/").rsplit(":", 1)[1]
        done = cli("serve", "--port", port, "--json")
        assert done.code == 1 and "trainmon serves" in json.loads(done.err)["error"] and url in json.loads(done.err)["hint"]
        assert f"process {process.pid}" in json.loads(done.err)["error"]


def test_who_is_at_a_port(taken, tmp_path):
    assert not ports.is_free("127.0.0.1", taken) and ports.owner(taken).startswith("python")
    free = free_port()
    assert ports.is_free("127.0.0.1", free) and ports.ask_status("127.0.0.1", free) == {} and ports.owner(free) == ""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("x" * 40)
    with serving("--port", "0", "--token-file", str(token)) as (_process, url):
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        assert ports.ask_status("127.0.0.1", port) == {"token": True}
        assert " 401 " in ports.websocket_answer("127.0.0.1", port)


def test_open_starts_the_browser(tmp_path, monkeypatch):
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with serving("--port", "0", "--open") as (process, url):
        opened, end = tmp_path / "opened", time.monotonic() + 60
        while not (opened.exists() and opened.read_text().endswith("\n")) and time.monotonic() < end:
            time.sleep(0.05)
        assert opened.read_text().strip() == url
        process.terminate()
        process.wait(60)


def test_init_with_a_dashboard(capfd, taken):
    """A port that is taken is replaced by a free one; the page ends with its process."""
    run = trainmon.init(name="watched", dashboard=taken, hardware=0)
    url = run.dashboard.url
    assert f"trainmon: {url}" in capfd.readouterr().err and not url.endswith(f":{taken}/")
    run.log({"train/loss": 0.5}, 0)
    status = ask(url)
    assert status["is_training"] and [one["session_name"] for one in status["active_sessions"]] == ["watched"]
    run.dashboard.stop()
    assert run.dashboard.process.poll() is not None
    run.dashboard.stop()  # a second time does nothing
    run.finish()


def test_the_dashboard_ends_with_its_process():
    script = "import trainmon; run = trainmon.init(dashboard=65000, hardware=0); print(run.dashboard.url, run.dashboard.process.pid)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    url, pid = done.stdout.split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    with contextlib.suppress(OSError):  # another program may have the port by now
        assert ask(url)["store"] != trainmon.Store("trainmon").path
    assert trainmon.Store("trainmon").runs()[0].status == "completed"


def test_a_dashboard_that_can_not_start_is_a_warning(caplog, monkeypatch):
    monkeypatch.setenv("MONITORING_DEBUG", "perhaps")
    run = trainmon.init(name="goes on", dashboard=True, hardware=0)
    assert "did not start" in caplog.text and "MONITORING_DEBUG" in caplog.text
    run.log({"a": 1})
    run.finish()
    assert trainmon.Store("trainmon").metrics(run.id)["a"]["count"] == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dashboard_ends_with_the_training(number):
    script = ("""if True:
        import os, threading, time, trainmon
        def train():  # not the main thread: its end is not that of the process
            run = trainmon.init(dashboard=65000, hardware=0)
            print(run.dashboard.process.pid, run.dashboard.url, flush=True)
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        worker = os.fork()
        if worker == 0:
            os.close(1)
        else:
            print(worker, flush=True)
        time.sleep(600)""")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        pid, url = owner.stdout.readline().split()
        worker = int(owner.stdout.readline())
        ended = os.pidfd_open(int(pid))
        try:
            assert not select.select([ended], [], [], 0.7)[0] and ask(url)["success"]
            owner.send_signal(number)
            assert owner.wait(60) == -number
            assert select.select([ended], [], [], 60)[0]
            os.kill(worker, 0)  # what was forked off lives on
        finally:
            os.close(ended)
            owner.kill()
            os.kill(worker, signal.SIGKILL)


def test_keep_leaves_it_running():
    trainmon.Store("trainmon").close()
    script = "from trainmon.server import Dashboard; print(Dashboard('trainmon', port=0, keep=True).url)"
    url = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    assert ask(url)["version"] == trainmon.__version__
    pid = int(ports.owner(port).rsplit(" ", 1)[1])
    os.kill(pid, signal.SIGTERM)
    here = Dashboard("trainmon", port=0)
    assert ask(here.url)["success"]
    here.stop()
