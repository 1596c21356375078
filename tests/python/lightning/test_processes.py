# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Scripts in processes of their own: two ranks by each of Lightning's launchers, Ctrl-C, kill, workers."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from digits import TRAIN
from ends import ended

import trainmon

SCRIPT = pathlib.Path(__file__).parent / "script.py"
PACKAGES = ("lightning.pytorch", "pytorch_lightning")
LIMIT = 600


def start(*arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINMON_", "RANK", "LOCAL_RANK"))}
    clean["PYTHONPATH"] = str(pathlib.Path(trainmon.__file__).parents[1])
    return subprocess.Popen([sys.executable, "-W", "ignore", str(SCRIPT), *arguments], env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            start_new_session=True)


def finish(process):
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return output


def seen(rank):
    return json.loads(pathlib.Path(f"rank{rank}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("package", "strategy"), [(PACKAGES[0], "ddp"), (PACKAGES[1], "ddp"), (PACKAGES[0], "ddp_fork"), (PACKAGES[1], "ddp_fork"),
                                                   (PACKAGES[0], "ddp_spawn")])
def test_two_ranks_are_one_run(package, strategy, store):
    process = start(package, strategy, "plain")
    output = finish(process)
    assert process.returncode == 0, output
    assert "failed, the training goes on" not in output
    run = ended(store)
    assert (run.status, run.notes, run.progress["images"]) == ("completed", "n", 2 * TRAIN)
    assert len(store.points(run.id, "train/loss")) == TRAIN // 64 // 2 * 2  # of rank 0 alone
    rows = store.epochs(run.id)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert strategy == "ddp_spawn" or rows[1]["val_loss"] == pytest.approx(seen(0)["metrics"]["val_loss"])
    (matrix,) = [matrix for matrix in store.results("confusion_matrices", run.id) if matrix["epoch"] == 1]
    assert sum(map(sum, matrix["matrix"])) == 320  # of both ranks
    assert len(store.results("validation_results", run.id, by_epoch=True, epoch=1)) == 10


@pytest.mark.parametrize("what", ["stop", "pause"])
def test_two_ranks_obey_together(what, store):
    process = start(PACKAGES[0], "ddp", what)
    output = finish(process)
    assert process.returncode == 0, output
    run = ended(store)
    assert seen(0)["steps"] == seen(1)["steps"]
    assert run.status == ("cancelled" if what == "stop" else "completed")
    if what == "stop":
        assert "max_epochs" not in output  # Lightning's word for an end by itself
    else:
        assert {"paused", "resumed"} <= {event["kind"] for event in store.events(run.id)}


def test_a_fork_below_the_scripts_run_trains_unrecorded(store):
    process = start(PACKAGES[0], "ddp_fork", "init")
    output = finish(process)
    assert process.returncode == 0, output
    assert output.count("this training is not recorded") == 1  # a forked child can't use a store that its parent had open
    assert "start this process with exec or spawn" in output
    assert "max_epochs=2` reached" in output
    run = ended(store)
    assert (run.name, run.status) == ("script", "completed")
    assert "train/loss" not in store.metrics(run.id)


def test_the_scripts_run_with_two_ranks(store):
    process = start(PACKAGES[0], "ddp", "init")
    output = finish(process)
    assert process.returncode == 0, output
    run = ended(store)
    assert (run.name, run.status) == ("script", "completed")
    assert len(store.points(run.id, "train/loss")) == TRAIN // 64 // 2 * 2


@pytest.mark.parametrize(("package", "what"), [(PACKAGES[0], "init"), (PACKAGES[1], "init and stop")])
def test_spawned_ranks_feed_the_scripts_run(package, what, store):
    process = start(package, "ddp_spawn", what)
    output = finish(process)
    assert process.returncode == 0, output
    assert "failed, the training goes on" not in output
    assert "not recorded" not in output
    run = ended(store)
    assert (run.name, run.status, run.model_type) == ("script", "completed", "Common")  # the script ended it
    assert (run.config["script's"], run.config["hidden"]) == (1, 32)
    assert {"started", "joined"} <= {event["kind"] for event in store.events(run.id)}
    rows = store.epochs(run.id)
    assert [row["epoch"] for row in rows] == list(range(len(rows)))
    assert all(row["val_loss"] > 0 and row["extra"]["late"] == row["epoch"] for row in rows)
    assert len(store.points(run.id, "train/loss")) == run.summary["global_step"]
    matrices = store.results("confusion_matrices", run.id)
    assert [sum(map(sum, matrix["matrix"])) for matrix in matrices] == [320] * len(rows)  # of both ranks
    if what == "init":
        assert len(rows) == 2
        assert run.summary["global_step"] == TRAIN // 64 // 2 * 2
    else:
        assert "max_epochs" not in output  # Lightning's word for an end by itself


@pytest.mark.parametrize("package", PACKAGES)
def test_ctrl_c(package, store):
    process = start(package, "auto", "wait")
    for line in process.stdout:
        if line.startswith("batch"):
            break
    os.kill(process.pid, signal.SIGINT)
    output = finish(process)
    assert process.returncode == 1, output
    assert ended(store).status == "cancelled"


def test_kill(store):
    process = start(PACKAGES[0], "auto", "wait")
    for line in process.stdout:
        if line.startswith("batch"):
            break
    process.kill()
    finish(process)
    store.recover()
    run = ended(store)
    assert run.status == "interrupted"
    assert len(store.points(run.id, "train/loss")) >= 1


def test_workers(store):
    process = start(PACKAGES[0], "auto", "workers")
    output = finish(process)
    assert process.returncode == 0, output
    assert ended(store).status == "completed"
