# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Trainers for several GPUs, as far as one process without any can tell: the class, and the process that the framework would start."""

import json
import logging
import os
import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from ends import all_ended, ended

import trainmon
import trainmon.ultralytics as adapter
from trainmon.ultralytics import attach, devices, trainers

SEARCHED = [os.path.abspath(path) for path in sys.path if path]  # before a test changes the folder

# What the framework writes for each process: it imports the class by name and builds the trainer from arguments alone.
CHILD = """
import offline
from trainmon.ultralytics import DetectionTrainer
from ultralytics.utils import DEFAULT_CFG_DICT
cfg = DEFAULT_CFG_DICT.copy()
cfg.update(save_dir='')
trainer = DetectionTrainer(cfg=cfg, overrides={overrides!r})
trainer.train()
"""


def test_classes_are_found_by_name():
    for name in trainers.BASES:
        made = getattr(adapter, name)
        assert (made.__name__, made.__qualname__, made.__module__) == (name, name, "trainmon.ultralytics")
        assert pickle.loads(pickle.dumps(made)) is made
    assert not hasattr(adapter, "NoTrainer")


def test_a_trainer_records_by_itself(model, train, store):
    train(model, trainer=adapter.DetectionTrainer, epochs=1)
    record = ended(store)
    assert record.status == "completed"
    assert len(store.epochs(record.id)) == 1


def test_a_trainer_goes_with_attach(model, train, store):
    monitor = attach(model, name="both")
    train(model, trainer=adapter.DetectionTrainer, epochs=1)
    assert model.trainer.trainmon_monitor is monitor
    assert [run.name for run in store.runs()] == ["both"]
    assert len(store.points(monitor.run.id, "train/box_loss")) == 4


def test_attach_takes_a_trainer(data, store, tmp_path):
    import conftest
    from ultralytics.models.yolo.detect import DetectionTrainer

    trainer = DetectionTrainer(overrides={"model": "yolo11n.yaml", "data": data, "project": str(tmp_path / "runs"), **conftest.SETTINGS, "epochs": 1})
    monitor = attach(trainer, name="bare")
    trainer.train()
    assert [run.status for run in all_ended(store)] == ["completed"]
    assert len(store.points(monitor.run.id, "train/box_loss")) == 4


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_of_the_framework_records_if_it_is_the_first(data, store, tmp_path, rank):
    import conftest

    settings = {key: value for key, value in conftest.SETTINGS.items() if key != "pretrained"}
    overrides = {"model": "yolo11n.yaml", "data": data, "project": str(tmp_path / "runs"), "name": "t", **settings, "epochs": 1}
    id = str(uuid.uuid4())
    options = {"critical": {"digit 2": 0.5}, "init": {"id": id, "name": "handed over"}}
    paths = [str(Path(__file__).parent), *SEARCHED]
    environment = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": os.pathsep.join(paths), trainers.VARIABLE: json.dumps(options)}
    subprocess.run([sys.executable, "-c", CHILD.format(overrides=overrides)], env=environment, check=True, capture_output=True, timeout=600)
    if rank:
        assert not store.runs()
        return
    record = ended(store)
    assert (record.id, record.name, record.status) == (id, "handed over", "completed")
    assert set(store.conditions(id)) == {"digit 2"}


class Parent:
    """A trainer in the process that starts the others."""

    world_size, ddp = 2, True

    def __init__(self, monitor):
        self.trainmon_monitor = monitor


def test_options_go_through_the_environment(model):
    with trainmon.init(name="parent") as run:
        monitor = attach(model, critical={"a": 0.5}, project="p")
        with trainers.handed_over(Parent(monitor)):
            told = json.loads(os.environ[trainers.VARIABLE])
            assert told["critical"] == {"a": 0.5}
            assert told["init"]["parent_id"] == run.id
            assert told["init"]["id"] == monitor.handed_id
            assert told["init"]["dir"] == run.store.path
            callbacks, other = trainers.with_monitor(pickle.loads(pickle.dumps({"teardown": [monitor.teardown]})))
            assert (other.critical, other.init["project"], other.init["id"]) == ({"a": 0.5}, "p", monitor.handed_id)
            assert callbacks["teardown"] == [other.teardown]
        assert trainers.VARIABLE not in os.environ
        assert "parent_id" not in monitor.init


def test_several_devices_without_the_trainer_are_told_loudly(model, caplog):
    attach(model)
    with caplog.at_level(logging.WARNING, "trainmon"), pytest.raises(ValueError, match="CUDA"):
        model.train(data="missing.yaml", device="0,1")
    assert "trainmon.ultralytics.DetectionTrainer" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "trainmon"), pytest.raises(ValueError, match="CUDA"):
        model.train(data="missing.yaml", device=[0, 1], trainer=adapter.DetectionTrainer)
    assert not caplog.text


@pytest.mark.parametrize(("device", "count"), [("0,1", 2), ([0, 1, 2], 3), ("cpu", 1), (0, 1), (None, 1), ("cuda:0,1", 2), ("[0, 1]", 2)])
def test_devices_are_counted(device, count):
    assert devices.count_devices(device) == count
