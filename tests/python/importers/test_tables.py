# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Tables: Lightning's real logger, Ultralytics' layout, and those of anybody."""

import json
import os

import pytest

import trainmon
from trainmon.importers import SourceError, csv_file, import_path

RESULTS = """epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss,lr/pg0
1,10.5,1.9,2.5,0.31,0.12,1.8,0.01
2,20.25,1.5,2.1,0.42,0.2,1.6,0.009
3,30,1.25,1.75,0.5,0.25,1.5,0.008
"""


def points(store, id, name):
    return [tuple(point) for point in store.points(id, name).tolist()]


def test_the_real_csv_logger_of_lightning(tmp_path):
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    logger = loggers.CSVLogger(tmp_path / "logs", name="exp", flush_logs_every_n_steps=7)
    logger.log_hyperparams({"lr": 0.1, "name": "mlp", "nested": {"deep": [1, 2]}, "on": True})
    for step in range(30):
        logger.log_metrics({"train_loss": 1 / (step + 1), "epoch": step // 10}, step=step)
        if step % 10 == 9:
            logger.log_metrics({"val_acc": step / 30}, step=step)
    logger.finalize("success")
    store = trainmon.Store("store")
    [id] = csv_file.import_path(tmp_path / "logs", store)
    assert [(step, value) for step, _, value in points(store, id, "train_loss")] == [(step, 1 / (step + 1)) for step in range(30)]
    assert [(step, value) for step, _, value in points(store, id, "val_acc")] == [(step, step / 30) for step in (9, 19, 29)]
    assert [value for _, _, value in points(store, id, "epoch")] == [step // 10 for step in range(30)]
    record = store.run(id)
    assert record.name == "exp/version_0" and record.config["lr"] == 0.1 and record.config["on"] is True


def test_results_of_ultralytics(tmp_path):
    folder = tmp_path / "detect" / "train"
    folder.mkdir(parents=True)
    (folder / "results.csv").write_text(RESULTS)
    (folder / "args.yaml").write_text("task: detect\nmodel: yolo11n.pt\ndata: coco8.yaml\nepochs: 3\nbatch: 16\nimgsz: 640\nlr0: 0.01\nname: null\n")
    os.utime(folder / "results.csv", (1_700_000_000, 1_700_000_000))
    store = trainmon.Store("store")
    [id] = csv_file.import_path(tmp_path, store)
    assert points(store, id, "train/box_loss") == [(1, 1_699_999_980_500_000, 1.9), (2, 1_699_999_990_250_000, 1.5), (3, 1_700_000_000_000_000, 1.25)]
    record, epochs = store.run(id), store.epochs(id)
    assert (record.name, record.model_type, record.epochs, record.batch_size, record.img_size) == ("detect/train", "yolo11n.pt", 3, 16, 640)
    assert [row["map50_95"] for row in epochs] == [0.12, 0.2, 0.25] and record.config["lr0"] == 0.01
    assert csv_file.import_path(tmp_path, store) == [] and len(store.runs()) == 1


@pytest.mark.parametrize(("text", "steps", "values"), [
    ("a,b\n1,2\n3,4\n", [0, 1], [1, 3]),
    (" epoch , a\n5,1\n6,\n7,x\n8,nan\n", [5, 8], [1, None]),
    ("iteration;a\n".replace(";", ",") + "10,1e3\n20,-inf\n", [10, 20], [1000, float("-inf")]),
    ("\ufeffstep,a\r\n1,2\r\n", [1], [2]),
    ('step,"a"\n1,2,9\n2\n3,4\n', [1, 3], [2, 4]),
])
def test_tables_of_anybody(tmp_path, text, steps, values):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    store = trainmon.Store("store")
    [id] = import_path(tmp_path / "t.csv", store)
    found = points(store, id, "a")
    assert [point[0] for point in found] == steps
    assert all((wanted is None and point[2] != point[2]) or point[2] == wanted for point, wanted in zip(found, values, strict=True))


def test_dates_are_the_times(tmp_path):
    (tmp_path / "t.csv").write_text("step,timestamp,a\n1,2024-01-01T00:00:00Z,1\n2,1704067201.5,2\n3,1704067202000,3\n")
    store = trainmon.Store("store")
    [id] = import_path(tmp_path / "t.csv", store)
    assert [time for _, time, _ in points(store, id, "a")] == [1_704_067_200_000_000, 1_704_067_201_500_000, 1_704_067_202_000_000]


def test_rows_of_json(tmp_path):
    rows = [{"_step": i, "_timestamp": 1_700_000_000 + i, "loss": i / 4, "deep": {"x": i}, "_runtime": 3, "text": "no"} for i in range(5)]
    (tmp_path / "history.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"loss": \n[1]\n{"_step": 9, "loss": NaN}\n')
    store = trainmon.Store("store")
    [id] = import_path(tmp_path / "history.jsonl", store)
    assert points(store, id, "deep/x") == [(i, (1_700_000_000 + i) * 1_000_000, i) for i in range(5)]
    assert len(points(store, id, "loss")) == 6 and len(store.events(id)[-1]["data"]["problems"]) == 2


@pytest.mark.parametrize("data", [b"", b"\n\n", b"1,2\n3,4\n", b"a,b\n", b"\0\0\0", b"x" * 3_000_000])
def test_what_is_no_table_raises(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(SourceError, match=r"t\.csv"):
        import_path(tmp_path / "t.csv", "store")
    assert trainmon.Store("store").runs() == []


def test_a_long_table_takes_little_memory(tmp_path):
    import tracemalloc

    with open(tmp_path / "t.csv", "w") as file:
        file.write("step,a,b\n")
        file.writelines(f"{i},{i / 7},{i}\n" for i in range(300_000))
    store = trainmon.Store("store")
    tracemalloc.start()
    [id] = import_path(tmp_path / "t.csv", store)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6 and store.metrics(id)["a"]["count"] == 300_000
