# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The commands of the documents as they stand there: a training and what it leaves, the server, pause, stop and resume from outside."""

import json
import sys
import time

import pytest
from conftest import CONFIG, environment, run, start, workplace
from ends import ended
from retfound.cli.main import main

import trainmon

COMMAND = ("retfound.cli.main", "train", "--config", CONFIG, "--enable-monitoring")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, images):
    """The command as written, in a folder of its own; gives the folder and what it printed."""
    folder = workplace(tmp_path_factory.mktemp("trained"), images)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, run(*COMMAND)[0]


@pytest.fixture
def stored(trained, monkeypatch):
    """The store of that training and its only run."""
    monkeypatch.chdir(trained[0])
    store = trainmon.Store("monitoring", must_exist=True)
    return store, ended(store)


def test_the_row_of_the_run(stored):
    _store, record = stored
    assert (record.status, record.epochs, record.dataset_name, record.model_type, record.batch_size) == ("completed", 5, "dataset_v6.1", "cnn", 64)
    assert (record.dataset_size, record.img_size, record.learning_rate) == (240, 28, 0.002)
    assert record.config["training.epochs"] == 5
    assert record.config["critical_thresholds"]["digit_8"] == 0.99
    assert record.progress["epoch"] == 5
    assert record.progress["fraction"] in (0, 1)


def test_the_epochs_are_those_that_were_printed(stored, trained):
    store, record = stored
    epochs = store.epochs(record.id)
    assert [row["epoch"] for row in epochs] == [0, 1, 2, 3, 4]
    printed = [line.split(": ")[1] for line in trained[1].splitlines() if line.startswith("epoch ")]
    for row, line in zip(epochs, printed, strict=True):
        assert f"val/loss {row['val_loss']:.4f}, val/accuracy {row['val_accuracy']:.4f}" in line
        assert row["total_loss"] is not None
        assert row["train_accuracy"] is not None
        assert row["epoch_time_seconds"] > 0
        assert 0 < row["learning_rate"] <= 0.002
    assert epochs[-1]["val_loss"] < epochs[0]["val_loss"]


def test_the_figures_of_classes_are_those_of_the_checkpoint(stored, capsys):
    """`evaluate` reads the last checkpoint and the images again and comes to the same sensitivities."""
    store, record = stored
    rows = [row for row in store.results("validation_results", record.id) if row["epoch"] == 4 and row["class_name"]]
    named = {row["class_name"]: row for row in rows if "_" in row["class_name"]}
    assert len(named) == 20
    assert {row["class_group"] for name, row in named.items() if name.startswith("digit_")} == {"digits"}
    assert {row["class_group"] for name, row in named.items() if name.startswith("fashion_")} == {"fashion"}
    assert main(["evaluate", "--config", CONFIG, "--checkpoint", "checkpoints/dataset_v6.1/last.ckpt"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == ["accuracy", f"{store.epochs(record.id)[-1]['val_accuracy']:.4f}"]
    for name, sensitivity, _, count in lines[:-1]:
        assert (f"{named[name]['sensitivity']:.4f}", named[name]["support"]) == (sensitivity, int(count))


def test_the_confusion_matrix(stored):
    store, record = stored
    matrix = next(row for row in store.results("confusion_matrices", record.id) if row["epoch"] == 4)
    counts = matrix["matrix"] if "matrix" in matrix else matrix["counts"]
    assert len(counts) == 20
    assert all(sum(row) == 3 for row in counts)
    assert sum(counts[i][i] for i in range(20)) / 60 == pytest.approx(store.epochs(record.id)[-1]["val_accuracy"])


def test_the_current_metrics_have_every_field(stored, server):
    store, record = stored
    served = server(MONITORING_PORT="0", MONITORING_HOST="127.0.0.1", MONITORING_DB_PATH="./monitoring.db", MONITORING_CACHE_SIZE="3")
    found = served.ask(f"/api/metrics/current?session_id={record.id}")
    metrics = found["metrics"]
    assert set(metrics["critical_conditions"]) == {"fashion_trouser", "fashion_shirt", "digit_8"}
    for name, condition in metrics["critical_conditions"].items():
        short = condition["threshold"] - condition["sensitivity"]
        assert condition["sensitivity"] == pytest.approx(metrics["per_class"][name])
        assert condition["status"] == ("ok" if short <= 0 else "warning" if short <= 0.02 else "critical")
    assert len(metrics["per_class"]) == 20
    last = store.epochs(record.id)[-1]
    assert (metrics["loss"]["val"], metrics["accuracy"]["val"]) == (pytest.approx(last["val_loss"]), pytest.approx(last["val_accuracy"]))
    assert 0.5 < metrics["auc_roc"]["macro"] <= 1
    assert 0.5 < metrics["auc_roc"]["weighted"] <= 1
    assert 0 < metrics["f1_score"] <= 1
    assert metrics["loss"]["train"] > 0
    assert metrics["learning_rate"] is not None
    assert found["system"]["ram_usage"] > 0
    history = served.ask(f"/api/metrics/history?session_id={record.id}")
    assert "3" in json.dumps(history)


def test_predict(stored, images, capsys):
    paths = [str(path) for path in sorted(images.glob("digit_*/*.png"))[:3]]
    checkpoint = ("--checkpoint", "checkpoints/dataset_v6.1/best.ckpt")
    assert main(["predict", *checkpoint, *paths]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["image"] for line in lines] == paths
    assert all(0 < line["probability"] <= 1 and "_" in line["class"] for line in lines)
    assert main(["predict", *checkpoint, CONFIG]) == 1
    assert CONFIG in capsys.readouterr().err


def test_weights_of_another_training(stored, capsys):
    """Going on from weights begins better than from scratch, whose first epoch was the stored one."""
    store, _record = stored
    assert main(["train", "--config", CONFIG, "--epochs", "1", "--set", "name=next", "--init", "checkpoints/dataset_v6.1/last.ckpt"]) == 0
    out = capsys.readouterr().out
    assert "weights: 20 of 20" in out
    assert main(["train", "--config", CONFIG, "--epochs", "1", "--set", "name=scratch"]) == 0
    scratch = capsys.readouterr().out
    losses = [float(text.split("val/loss ")[1].split(",")[0]) for text in (out, scratch)]
    assert losses[0] < losses[1]
    assert len(list(store.runs())) == 1  # without --enable-monitoring nothing is recorded


def test_pause_stop_and_resume_from_outside(place, server):
    """A server of its own stops and halts a training that runs in another process; --resume goes on in the same run."""
    served = server(MONITORING_PORT="0")
    training = start(*COMMAND, "--epochs", "200")
    live = served.until("/api/status", lambda answer: answer["active_sessions"] and served.ask("/api/metrics/current")["batch"])["active_sessions"][0]
    assert served.ask("/api/training/pause", {})["control"] == "pause"
    served.until("/api/status", lambda answer: answer["active_sessions"][0]["paused"])
    before = served.ask("/api/metrics/current")
    time.sleep(1.5)
    after = served.ask("/api/metrics/current")
    assert (before["epoch"], before["batch"]) == (after["epoch"], after["batch"])
    assert served.ask("/api/status")["active_sessions"][0]["paused"]
    served.ask("/api/training/resume", {})
    served.until("/api/metrics/current", lambda answer: (answer["epoch"], answer["batch"]) != (before["epoch"], before["batch"]) and answer["epoch"] >= 2)
    assert served.ask("/api/training/stop", {})["control"] == "stop"
    out, err = training.communicate(timeout=600)
    assert training.returncode == 0, err
    assert "stopped: " in out
    store = trainmon.Store("monitoring")
    assert ended(store, live["id"]).status == "cancelled"
    done = len(store.epochs(live["id"]))
    assert main([*COMMAND[1:], "--epochs", str(done + 1), "--resume", "checkpoints/dataset_v6.1/last.ckpt"]) == 0
    again = ended(store)
    assert (again.id, again.status) == (live["id"], "completed")
    assert [row["epoch"] for row in store.epochs(again.id)] == list(range(done + 1))


def test_a_training_started_from_the_page(place, server):
    """The recipe of the example starts the same command."""
    recipes = json.loads((place / "configs" / "recipes.json").read_text())
    recipes["recipes"]["retfound"]["environment"] = {"PYTHONPATH": environment()["PYTHONPATH"]}
    recipes["recipes"]["retfound"]["command"][0] = sys.executable
    file = place / "configs" / "recipes.json"
    file.write_text(json.dumps(recipes))
    file.chmod(0o600)
    served = server("--recipes", str(file), MONITORING_PORT="0")
    began = served.ask("/api/training/start", {"parameters": {"epochs": 1}})
    served.until(f"/api/training/sessions/{began['session_id']}", lambda answer: answer["session"]["status"] not in ("pending", "running"))
    record = trainmon.Store("monitoring").run(began["session_id"])
    assert (record.status, record.epochs, len(trainmon.Store("monitoring").epochs(record.id))) == ("completed", 1, 1)
