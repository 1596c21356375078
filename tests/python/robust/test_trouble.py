# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Disks that fill up, stores that vanish or are locked: the loop runs to its end, and what was lost is told."""

import contextlib
import inspect
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import pytest
import script
from ends import ended

import trainmon
from trainmon import current

LOCK_SECONDS = current.LOCK_SECONDS  # before conftest.py makes it more

LOOP = """
import logging, os, sys, threading, time, trainmon
CLOCK
logging.basicConfig(format="%(message)s")
run = trainmon.init(DIR)
longest = 0
print("begun", flush=True)
sys.stdin.readline()
with Clock() as clock:
    begin = clock.now()
    for step in range(COUNT):
        before = clock.now()
        run.log({"a": step, "b": step * 0.6180339887498949 % 1})
        longest = max(longest, clock.seconds_since(before))
    print(f"longest {longest:.3f} all {clock.seconds_since(begin):.3f} dropped {run.dropped}")
""".replace("CLOCK", inspect.getsource(script.Clock))


@pytest.fixture
def usual_patience(monkeypatch):
    """A run waits for a locked store as long as that of a user."""
    monkeypatch.setattr(current, "LOCK_SECONDS", LOCK_SECONDS)


@contextlib.contextmanager
def locked():
    """The store of the folder is locked by another connection."""
    with contextlib.closing(sqlite3.connect("trainmon/trainmon.db", isolation_level=None, timeout=60)) as other:  # a drainer may be at its last commit
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


def loop(folder=None, count=300_000):
    return LOOP.replace("DIR", "" if folder is None else f"dir={folder!r}").replace("COUNT", str(count))


def figures(out):
    return {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)", out)}


@contextlib.contextmanager
def small_disk(path, size):
    """A memory file system of that size."""
    os.makedirs(path, exist_ok=True)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_store_on_a_full_disk(tmp_path):
    """The store's disk has room for the schema and little else: what doesn't fit waits in the ring, then is dropped and counted."""
    with small_disk(str(tmp_path / "small"), "2m") as disk:
        process = script.start(loop(disk + "/store"), stdin=script.PIPE)
        out, err = process.communicate("\n", timeout=400)
        assert process.returncode == 0, err
        told = figures(out)
        assert told["dropped"] > 100_000 and told["longest"] < 1 and told["all"] < 60, out
        assert err.count("the ring is full") == 1 and f"{told['dropped']:.0f} points were dropped because the store did not take them" in err
        store = trainmon.Store(disk + "/store", read_only=True)
        record = script.record(store)
        kept = script.points("b", record.id, store)
        # In order, the first ones without a gap; a loop that goes on slowly may see the drainer find a little room once more.
        steps = [step for step, _ in kept]
        assert kept == [(step, step * 0.6180339887498949 % 1) for step in steps] and steps == sorted(set(steps))
        assert steps[:10_000] == list(range(10_000)) and len(kept) <= 300_000 - told["dropped"] / 2 + 1
        store.close()


def test_a_disk_without_room_for_a_store(tmp_path):
    with small_disk(str(tmp_path / "small"), "40k") as disk:
        code, out, err = script.train(loop(disk + "/store", 10), stdin=subprocess.DEVNULL)
        assert code == 0 and "not recorded" in err and figures(out)["dropped"] == 0


def test_no_room_for_the_ring(tmp_path):
    """/dev/shm is small in many containers; the private name space of mounts makes it so here."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    with open("script.py", "w") as file:
        file.write(loop(count=1000))
    environment = {**os.environ, "PYTHONPATH": script.PACKAGE}
    for size in ("64k", "1m"):
        done = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size={size} tmpfs /dev/shm && exec {sys.executable} script.py"],
                              env=environment, capture_output=True, text=True, input="\n", check=False)
        assert done.returncode == 0, done.stderr
        assert figures(done.stdout)["dropped"] == 0
    store = trainmon.Store("trainmon")
    for record in store.runs():
        assert record.status == "completed"
        assert script.points("a", record.id, store) == [(step, step) for step in range(1000)]
    assert len(store.runs()) == 2


def test_the_store_is_deleted_while_running():
    process = script.start(loop(count=150_000), stdin=script.PIPE)
    process.stdout.readline()
    while os.path.exists("trainmon"):  # the trainer may make or remove a file beneath meanwhile
        shutil.rmtree("trainmon", ignore_errors=True)
    out, err = process.communicate("\n", timeout=400)
    assert process.returncode == 0, err
    told = figures(out)
    assert told["longest"] < 1 and told["all"] < 60, out
    assert told["dropped"] > 0 and f"{told['dropped']:.0f} points were dropped" in err and "Traceback" not in err


def log_without_ring(folder):
    """A training whose ring is deleted before it logs; gives how many points were dropped, the others are there."""
    process = script.start(loop(folder, 150_000) + "run.flush()  # else, after its end, nobody finds what there was no time for\n", stdin=script.PIPE)
    process.stdout.readline()
    store = trainmon.Store(folder)
    record = script.record(store)
    with contextlib.closing(sqlite3.connect(folder + "/trainmon.db")) as database:
        os.unlink(database.execute("SELECT ring_path FROM writers").fetchone()[0])
    out, err = process.communicate("\n", timeout=400)
    assert process.returncode == 0, err
    told = figures(out)
    assert told["longest"] < 1 and told["all"] < 60, out
    assert script.record(store).status == "completed"
    # What was logged while the ring was made again may be stored after what came next.
    kept, others = (sorted(script.points(name, record.id, store)) for name in "ab")
    steps = [step for step, _ in kept]
    assert kept == [(step, step) for step in steps] and steps == sorted(set(steps))
    assert len(kept) + len(others) == 300_000 - told["dropped"]
    store.close()
    return told["dropped"]


def test_the_ring_is_deleted_while_running(memory):
    """Nothing is dropped, as long as the machine leaves the drainer a tenth of a second: where it did not, the loop runs again."""
    assert any(log_without_ring(f"{memory}/{turn}") == 0 for turn in range(4))


def test_a_folder_that_may_not_be_written():
    """Root may write everywhere, so root becomes another user for this."""
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        os.makedirs(parent + "/closed", mode=0o555)
        command = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--clear-groups"]
        command += [sys.executable, "-c"]
        environment = {**os.environ, "PYTHONPATH": script.PACKAGE}
        if subprocess.run([*command, "import trainmon"], env=environment, check=False, capture_output=True, cwd="/").returncode:
            pytest.skip("another user can't be had, or can't read this Python")
        done = subprocess.run([*command, loop(parent + "/closed/store", 10)], env=environment, capture_output=True, text=True, input="\n", check=False, cwd="/")
        assert done.returncode == 0 and "not recorded" in done.stderr, done.stderr
        assert os.listdir(parent + "/closed") == []


def log_all_kinds(run, step):
    run.log({"a": step})
    run.config["lr"] = step
    run.summary["best"] = step
    run.alert("locked", f"step {step}")
    run.event("step", str(step))
    run.log_epoch(step, {"loss": step})
    run.progress(epoch=step)
    run.set_alert_rules([{"name": "n", "type": "nonfinite", "metric": "a"}])
    run.log_validation(step, {"cat": {"recall": 0.5}})
    run.log_confusion([[step, 0], [0, 1]], ["cat", "dog"], epoch=step, groups=["a", None])


def test_a_store_that_another_process_locks(caplog, usual_patience):
    """Ten seconds long nobody can write. The loop goes on, and afterwards all of it is there, in order."""
    run = trainmon.init(config={"lr": 1})
    run.log({"a": 0})
    longest, step = 0.0, 0
    with script.Clock() as clock, locked():
        begin = time.monotonic()
        while time.monotonic() < begin + 10:
            before = clock.now()
            step += 1
            log_all_kinds(run, step)
            longest = max(longest, clock.seconds_since(before))
            time.sleep(0.3)
    print(f"longest hold-up {longest:.2f} s in {step} steps")
    assert longest < 1.5
    assert [record.message for record in caplog.records if "lock" in record.message]
    end = time.monotonic() + 300
    run.flush()
    while len(run.store.results("confusion_matrices", run.id)) < step and time.monotonic() < end:
        run.flush()  # once more: a slow disk had the run's own drainer hold the lock
    run.finish()
    store = trainmon.Store("trainmon")
    record = ended(store, run.id)
    assert (record.status, record.config, record.summary["best"]) == ("completed", {"lr": step}, step)
    assert script.points("a", run.id, store) == [(at, at) for at in range(step + 1)]
    assert [int(event["message"]) for event in store.events(run.id) if event["kind"] == "step"] == list(range(1, step + 1))
    assert len([alert for alert in store.alerts(run.id) if "locked" in str(alert)]) == step
    matrices = store.results("confusion_matrices", run.id)
    assert sorted(matrix["matrix"][0][0] for matrix in matrices) == list(range(1, step + 1))
    assert {tuple(entry.get("class_group") for entry in matrix["per_class"]) for matrix in matrices} == {("a", None)}


def test_a_run_that_ends_while_the_store_is_locked(caplog, usual_patience):
    run = trainmon.init()
    run.log({"a": 1})
    run.flush()
    with script.Clock() as clock, locked():
        run.summary["best"] = 1
        begin = clock.now()
        run.finish()
        assert clock.seconds_since(begin) < 1
    assert "were lost because the store was locked" in caplog.text
    del run
    trainmon.finish()
    store = trainmon.Store("trainmon")
    assert ended(store).status == "completed" and script.points("a", None, store) == [(0, 1)]


def test_a_start_waits_for_the_lock():
    trainmon.init().finish()
    with locked():
        process = script.start("import trainmon; print(flush=True); run = trainmon.init(); run.log({'a': 1}); assert not run.disabled")
        process.stdout.readline()
        time.sleep(1)  # longer than the later calls of a run wait, a good deal less than its start does
    assert process.wait(60) == 0, process.communicate()
    assert len(trainmon.Store("trainmon").runs()) == 2
