# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The doctor finds what is broken; each kind of trouble is made for real."""

import importlib.metadata
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys

import pytest
from conftest import free_port as find_free_port
from conftest import record_run

import trainmon


@pytest.fixture
def free_port():
    """A port that nobody listens on."""
    return find_free_port()


@pytest.fixture
def doctor(cli, free_port):
    """Asks the doctor; gives the exit code and the checks by name."""

    def call(*words, **options):
        done = cli("doctor", "--json", "--port", free_port, *words, **options)
        assert done.err == "", done.err
        found = done.json
        for check in found["checks"]:
            assert check["status"] == "ok" or check["advice"], check
        assert sum(found[status] for status in ("ok", "warn", "fail")) == len(found["checks"])
        assert done.code == (1 if found["fail"] else 0)
        return done.code, {check["name"]: check for check in found["checks"]}

    return call


def test_a_sound_store_on_a_sound_machine(doctor, cli, free_port):
    record_run("one", [0.5])
    code, checks = doctor("--full")
    assert code == 0
    names = ("version", "frameworks", "GPU", "environment", "store", "journal", "integrity", "active runs", "server program", "WebSocket", "log files",
             f"port {free_port}")
    assert {name: checks[name]["status"] for name in names} == dict.fromkeys(names, "ok")
    assert checks["store"]["sessions"] == 1 and "whole database" in checks["integrity"]["found"]
    assert {"memory", "/dev/shm", "disk", "file system", "rings"} <= set(checks)
    assert checks["frameworks"]["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert os.listdir("trainmon") == [name for name in os.listdir("trainmon") if name != "logs"]  # it leaves nothing behind
    text = cli("doctor", "--port", free_port)
    assert text.code == 0 and "starts and answers" in text.out and "\033" not in text.out


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_are_broken_between_words(at_terminal, free_port, columns):
    record_run("one", [0.5])
    _, said = at_terminal("doctor", "--port", free_port, "--no-color", columns=columns)
    lines = said.splitlines()
    assert "starts and answers" in said and "WebSocket" in said
    for line in lines:
        assert len(line) <= columns or max(map(len, line.split())) > columns - 26, line  # a long path stays whole
        assert line == line.rstrip()


def test_no_store_yet(doctor, tmp_path):
    code, checks = doctor()
    assert code == 0 and checks["store"]["status"] == "warn" and not (tmp_path / "trainmon").exists()


def test_damage_is_found(doctor):
    record_run("one", [0.5])
    connection = sqlite3.connect("trainmon/trainmon.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size, noise = os.path.getsize("trainmon/trainmon.db"), random.Random(7)
    with open("trainmon/trainmon.db", "r+b") as file:
        for page in range(4096 * 3, size - 4096, 4096 * 2):
            file.seek(page)
            file.write(noise.randbytes(512))
    code, checks = doctor()
    assert code == 1 and checks["integrity"]["status"] == "fail" and "recover" in checks["integrity"]["advice"]


def test_what_is_no_store_of_ours(doctor, tmp_path):
    (tmp_path / "trainmon").mkdir()
    (tmp_path / "trainmon" / "trainmon.db").write_bytes(b"no database at all" * 1000)
    code, checks = doctor()
    assert code == 1 and checks["store"]["status"] == "fail" and checks["store"]["code"] == "TMON_ECORRUPT"


def test_a_newer_store_is_left_alone(doctor):
    record_run("one", [0.5])
    connection = sqlite3.connect("trainmon/trainmon.db")
    connection.execute("PRAGMA user_version = 9999999")
    connection.close()
    code, checks = doctor()
    assert code == 1 and checks["store"]["code"] == "TMON_EVERSION" and "upgrade" in checks["store"]["advice"]


def test_a_port_that_others_have(doctor, cli):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, checks = doctor("--port", str(port))
    assert code == 1 and checks[f"port {port}"]["status"] == "fail" and "python" in checks[f"port {port}"]["found"]


def test_our_own_server_is_no_trouble(doctor):
    store = trainmon.Store("trainmon")
    from trainmon.server import Dashboard

    page = Dashboard(store.path, port=0)
    port = page.url.rstrip("/").rsplit(":", 1)[1]
    code, checks = doctor("--port", port)
    page.stop()
    assert code == 0 and checks[f"port {port}"]["status"] == checks["WebSocket there"]["status"] == "ok"
    assert store.path in checks[f"port {port}"]["found"] and "dashboard.log" in checks["log files"]["found"]


def test_a_killed_trainer_is_taken_in(doctor, trainer):
    process, id = trainer()
    _, checks = doctor()
    assert id[:8] in checks["active runs"]["found"] and checks["rings"]["live"] >= 1
    process.kill()
    process.wait()
    assert doctor()[1]["active runs"]["found"] == "none"
    assert trainmon.Store("trainmon").run(id).status == "interrupted"


@pytest.fixture
def with_mounts(free_port):
    """Asks the doctor where some file systems are mounted otherwise, which nobody else sees."""

    def call(*mounts):
        words = [sys.executable, "-m", "trainmon", "doctor", "--json", "--port", str(free_port)]
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip("this user may not mount")
        script = " && ".join([*mounts, 'exec "$@"'])
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *words], capture_output=True, text=True, check=False)
        return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}

    return call


def test_little_shared_memory(with_mounts):
    code, checks = with_mounts("mount -t tmpfs -o size=64m tmpfs /dev/shm")
    assert code == 0 and checks["/dev/shm"]["status"] == "warn" and "--shm-size" in checks["/dev/shm"]["advice"]
    _, checks = with_mounts("mount -t tmpfs -o size=2m tmpfs /dev/shm")
    assert "no room for a ring" in checks["/dev/shm"]["found"]


def test_a_store_that_can_only_be_read(with_mounts, tmp_path):
    record_run("one", [0.5])
    folder = tmp_path / "trainmon"
    code, checks = with_mounts(f"mount --bind {folder} {folder}", f"mount -o remount,ro,bind {folder}")
    assert code == 0 and "read-only" in checks["store"]["found"]
    assert (checks["store"]["status"], checks["integrity"]["status"]) == ("warn", "ok")


def test_a_full_disk(with_mounts, tmp_path):
    (tmp_path / "trainmon").mkdir()
    code, checks = with_mounts(f"mount -t tmpfs -o size=10m tmpfs {tmp_path / 'trainmon'}")
    assert code == 1 and checks["disk"]["status"] == "fail" and checks["file system"]["kind"] == "tmpfs"


def test_the_environment_is_told(doctor, monkeypatch):
    monkeypatch.setenv("TRAINMON_MODE", "disabled")
    assert doctor()[1]["environment"]["status"] == "warn"
    monkeypatch.delenv("TRAINMON_MODE")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert "no_proxy" in doctor()[1]["environment"]["advice"]


def test_malware_is_told(doctor, tmp_path, monkeypatch):
    """Only the record of the installation is there, nothing of what it installs."""
    record = tmp_path / "site" / "lightning-2.6.3.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: lightning\nVersion: 2.6.3\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.path.dirname(os.path.dirname(trainmon.__file__))]))
    code, checks = doctor()
    assert code == 1 and "lightning 2.6.3 is malware" in checks["frameworks"]["found"] and "uninstall lightning" in checks["frameworks"]["advice"]


def test_no_framework_is_imported(tmp_path):
    script = ("import sys; from trainmon.cli import main; main(['doctor', '--json']); "
              "print([name for name in ('torch', 'numpy', 'pandas', 'lightning', 'transformers') if name in sys.modules], file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_torch_is_asked_only_on_demand(doctor):
    pytest.importorskip("torch")
    _, checks = doctor("--torch")
    assert checks["torch"]["status"] in ("ok", "warn") and "torch 2" in checks["torch"]["found"]


def test_a_package_without_its_server(tmp_path):
    """A copy of the package whose program is gone, and one whose program does not start."""
    package = os.path.dirname(trainmon.__file__)
    shutil.copytree(package, tmp_path / "site" / "trainmon", ignore=shutil.ignore_patterns("__pycache__", "bin"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for text, found in ((None, "not there"), ("#!/bin/sh\necho libwebsockets.so: cannot open shared library >&2\nexit 127\n", "did not start")):
        if text:
            program = tmp_path / "site" / "trainmon" / "bin" / "trainmon-dashboard"
            program.parent.mkdir()
            program.write_text(text)
            program.chmod(0o755)
        done = subprocess.run([sys.executable, "-m", "trainmon", "doctor", "--json"], capture_output=True, text=True, check=False, env=environment)
        check = next(check for check in json.loads(done.stdout)["checks"] if check["name"] == "server program")
        assert done.returncode == 1 and check["status"] == "fail" and found in check["found"]
