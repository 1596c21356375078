# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What is recorded of a real training, beside what the framework itself says of it."""

import csv
import time

import pytest
from ends import all_ended, ended

import trainmon
from trainmon.monitoring import create_monitoring_callback
from trainmon.ultralytics import attach


def read_results(folder):
    """Reads results.csv as the framework wrote it, as dicts of floats."""
    with open(folder / "results.csv", newline="") as file:
        return [{name.strip(): float(value) for name, value in row.items()} for row in csv.DictReader(file)]


COLUMNS = {"train/box_loss": "box_loss", "train/cls_loss": "cls_loss", "train/dfl_loss": "dfl_loss", "metrics/precision(B)": "precision",
           "metrics/recall(B)": "recall", "metrics/mAP50(B)": "map50", "metrics/mAP50-95(B)": "map50_95", "lr/pg0": "learning_rate"}


def test_epochs_are_those_of_the_framework(model, train, store, data):
    seen = {"matrix": [], "times": []}
    monitor = attach(model, name="first", project="digits", critical={"digit 9": 0.9}, groups={"digit 9": "odd", "digit 4": "even"})
    model.add_callback("on_val_end", lambda validator: seen["matrix"].append((validator.training, validator.confusion_matrix.matrix.sum())))
    model.add_callback("on_fit_epoch_end", lambda trainer: seen["times"].append(trainer.epoch_time))
    model.add_callback("on_train_end", lambda trainer: seen.update(final=dict(trainer.metrics), steps=trainer.epochs * len(trainer.train_loader)))
    metrics = train(model)

    record = ended(store, monitor.run.id)
    assert (record.name, record.status, record.dataset_name, record.model_type) == ("first", "completed", "scenes0", "yolo11n")
    assert (record.epochs, record.batch_size, record.img_size, record.dataset_size) == (2, 4, 64, 16)
    assert record.model_path.endswith("weights/best.pt")

    rows, told = store.epochs(record.id), read_results(metrics.save_dir)
    assert [row["epoch"] for row in rows] == [1, 2] == [int(row["epoch"]) for row in told]
    for row, expected in zip(rows, told, strict=True):
        for name, column in COLUMNS.items():
            assert row[column] == pytest.approx(expected[name], rel=1e-4, abs=1e-6), name
        for name in ("val/box_loss", "val/cls_loss", "val/dfl_loss", "lr/pg1", "lr/pg2"):
            assert row["extra"][name] == pytest.approx(expected[name], rel=1e-4, abs=1e-6), name
        assert row["total_loss"] == pytest.approx(sum(expected[f"train/{part}_loss"] for part in ("box", "cls", "dfl")), rel=1e-4)
    assert [row["epoch_time_seconds"] for row in rows] == pytest.approx(seen["times"][:2])

    points = store.points(record.id, "train/box_loss")
    assert list(points["step"]) == list(range(1, seen["steps"] + 1))
    assert points["value"][:4].mean() == pytest.approx(told[0]["train/box_loss"], rel=1e-4)
    assert list(store.points(record.id, "metrics/mAP50(B)")["step"]) == [4, 8]

    for name, value in seen["final"].items():
        assert store.metrics(record.id)[f"final/{name}"]["last"] == pytest.approx(float(value))
    assert record.final_map50 == pytest.approx(float(seen["final"]["metrics/mAP50(B)"]))

    assert seen["matrix"] == [(True, 0), (True, 0), (False, 0)], "the framework's own matrix stays as it would have been"
    check_classes(store, record.id, metrics)


def check_classes(store, id, metrics):
    """Compares rows of classes with the metrics of the final evaluation, and each matrix with the labels."""
    names = [metrics.names[index] for index in metrics.box.ap_class_index]
    rows = {row["class_name"]: row for row in store.results("validation_results", id, dataset_split="final")}
    for place, name in enumerate(names):
        precision, recall, map50, map50_95 = metrics.box.class_result(place)
        row = rows[name]
        assert (row["precision"], row["recall"], row["sensitivity"]) == pytest.approx((precision, recall, recall))
        assert (row["map50"], row["map50_95"], row["f1_score"]) == pytest.approx((map50, map50_95, metrics.box.f1[place]))
        assert row["instances"] == metrics.nt_per_class[metrics.box.ap_class_index[place]]
    assert rows["digit 9"]["class_group"] == "odd"
    assert {row["epoch"] for row in store.results("validation_results", id, dataset_split="val")} == {1, 2}
    assert store.conditions(id)["digit 9"]["status"] == "critical"

    matrices = {(row["epoch"], row["dataset_split"]): row for row in store.results("confusion_matrices", id)}
    assert set(matrices) == {(1, "val"), (2, "val"), (2, "final")}
    for row in matrices.values():
        assert row["class_names"] == [*(f"digit {digit}" for digit in range(10)), "background"]
        assert [sum(line) for line in row["matrix"][:10]] == metrics.nt_per_class.tolist(), "rows are true classes"


def test_configuration_and_dataset(model, train, store, data):
    monitor = attach(model, config={"mine": 1}, hardware=0)
    train(model, epochs=1)
    config = store.run(monitor.run.id).config
    assert config["mine"] == 1
    assert config["optimizer"] == "AdamW"
    assert config["nc"] == 10
    assert (config["train_images"], config["val_images"]) == (16, 8)
    assert not [name for name in store.metrics(monitor.run.id) if name.startswith("system/")]
    (dataset,) = store.results("datasets")
    assert (dataset["name"], dataset["train_images"], dataset["num_classes"]) == ("scenes0", 16, 10)
    assert store.results("benchmarks", monitor.run.id)[0]["avg_inference_ms"] > 0


def test_events_tell_checkpoints_and_phases(model, train, store):
    monitor = attach(model)
    metrics = train(model)
    events = store.events(monitor.run.id)
    kinds = [(event["kind"], event["message"]) for event in events if event["kind"] == "phase"]
    assert kinds == [("phase", "train"), ("phase", "validate"), ("phase", "train"), ("phase", "validate"), ("phase", "test")]
    checkpoints = [event for event in events if event["kind"] == "checkpoint"]
    assert [event["data"]["epoch"] for event in checkpoints] == [1, 2]
    assert checkpoints[0]["message"] == str(metrics.save_dir / "weights" / "best.pt")


def test_without_classes(model, train, store):
    made = []
    create_monitoring_callback("yolo", enable_class_monitoring=False, enable_system_monitoring=False)(model)
    model.add_callback("on_train_batch_end", made.append)
    train(model, epochs=1, batch=6)
    (run,) = store.runs()
    assert store.epochs(run.id) and store.results("validation_results", run.id) == store.results("confusion_matrices", run.id) == []
    assert run.progress["images"] == len(made[0].train_loader.dataset) == 16


def test_plots_are_recorded_once(model, train, store):
    monitor = attach(model)
    metrics = train(model, epochs=1, plots=True)
    expected = {"plots/labels", "plots/results", "plots/confusion_matrix", "plots/val_batch0_labels"}
    until = time.monotonic() + 30
    while not expected <= (names := {image["name"] for image in store.images(monitor.run.id)}) and time.monotonic() < until:
        time.sleep(0.01)  # the end of the run does not wait for them
    assert expected <= names
    results = store.images(monitor.run.id, "plots/results")
    assert len(results) == 1
    assert store.image(results[0]["hash"]) == (metrics.save_dir / "results.png").read_bytes()


def test_nothing_changes_for_the_training(data, train, tmp_path):
    from ultralytics import YOLO

    plain = train(YOLO("yolo11n.yaml"), name="plain", plots=True)
    watched = YOLO("yolo11n.yaml")
    attach(watched, critical={"digit 1": 0.5})
    recorded = train(watched, name="recorded", plots=True)
    ours, theirs = read_results(recorded.save_dir), read_results(plain.save_dir)
    for row in (*ours, *theirs):
        del row["time"]
    assert ours == theirs
    assert (recorded.save_dir / "confusion_matrix.png").read_bytes() == (plain.save_dir / "confusion_matrix.png").read_bytes()
    assert sorted(path.name for path in recorded.save_dir.iterdir()) == sorted(path.name for path in plain.save_dir.iterdir())


@pytest.mark.parametrize("fault", ["process_batch", "__deepcopy__"])
def test_a_matrix_that_fails_ends_no_training(model, train, monkeypatch, caplog, fault):
    from ultralytics.utils.metrics import ConfusionMatrix

    def fail(*_, **__):
        raise IndexError("of the framework")

    monkeypatch.setattr(ConfusionMatrix, fault, fail, raising=False)  # which it does not call in the epochs of a detection
    monitor = attach(model)
    train(model, epochs=1)
    store = monitor.run.store
    assert ended(store, monitor.run.id).status == "completed"
    assert not store.results("confusion_matrices", monitor.run.id) and "goes on" in caplog.text


def test_a_class_that_is_none_is_told_once(model, train, caplog):
    attach(model, critical={"digit 9": 0.9, "digit9": 0.9})
    train(model)
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "trainmon" and "no class" in record.getMessage()]
    assert warning.startswith("critical: no class is called 'digit9' (did you mean 'digit 9'?); there are: digit 0, digit 1,")


def test_checkpoint_holds_nothing_of_ours(model, train):
    import torch

    attach(model)
    metrics = train(model, epochs=1)
    for name in ("best.pt", "last.pt"):
        assert b"trainmon.ultralytics" not in (metrics.save_dir / "weights" / name).read_bytes()
    checkpoint = torch.load(metrics.save_dir / "weights" / "last.pt", weights_only=False)
    assert "callbacks" not in checkpoint


def test_run_of_the_script_is_used_and_stays_open(model, train, store):
    with trainmon.init(name="script", config={"seed": 3}) as run:
        monitor = attach(model, hardware=0)
        train(model, epochs=1)
        assert monitor.run is run
        assert not run.finished
        run.log({"after": 1.0})
    record = ended(store, run.id)
    assert record.status == "completed"
    assert (record.dataset_name, record.config["seed"], record.config["optimizer"]) == ("scenes0", 3, "AdamW")
    assert "after" in store.metrics(run.id)


def test_each_training_is_a_run(model, train, store):
    attach(model)
    attach(model)
    train(model, epochs=1)
    train(model, epochs=1, val=False)
    runs = all_ended(store)
    assert [run.status for run in runs] == ["completed", "completed"]
    assert [len(store.points(run.id, "train/cls_loss")) for run in runs] == [4, 4], "attached twice, recorded once"
