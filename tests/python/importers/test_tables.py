# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Tables: Lightning's real logger, Ultralytics' layout, and those of anybody."""

import json
import os

import pytest
from ends import ended

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
    ('step,"a"\n1,2,9\n2\n3,4\n5,6,\n', [3, 5], [4, 6]),
    ("step;a;b\n1;0.5;x\n2;0.25;y\n", [1, 2], [0.5, 0.25]),
    ("step\ta,b\ta\n1\t3\t0.5\n", [1], [0.5]),
    ("step,x;y;z,a\n1,3,0.5\n", [1], [0.5]),
    ("a\n1\nx\n3\n", [0, 2], [1, 3]),
    ("step,a\n9007199254740993,1\n", [9007199254740993], [1]),
    ("step,a,note\n1,1,\n2,N/A,fine\n3,3,\n", [1, 3], [1, 3]),
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
    assert len(points(store, id, "loss")) == 6 and store.events(id)[-1]["data"]["problems"] == [
        f"{tmp_path}/history.jsonl: 2 lines left out: line 6 (no object of JSON), line 7 (no object of JSON)"]


def test_lines_that_do_not_fit_are_left_out_whole_and_counted(tmp_path, caplog):
    path = tmp_path / "t.csv"
    path.write_text("step,loss\n0,0.5\n1,0,4\n2,abc\nx,0.3\n4,0.2,9,9\n5,0.125\n6.5,1\n7\n8,\n")
    store = trainmon.Store("store")
    [id] = import_path(path, store)
    said = (f"{path}: 6 lines left out: line 3 (3 columns, expected 2), line 4 (loss is 'abc', expected a number), "
            "line 5 (step is 'x', expected a whole number), …")
    [told] = store.events(id)[-1]["data"]["problems"]
    assert told == said and [record.getMessage() for record in caplog.records] == [f"import: {said}"]
    assert [(step, value) for step, _, value in points(store, id, "loss")] == [(0, 0.5), (5, 0.125)]
    assert list(store.metrics(id)) == ["loss"] and store.metrics(id)["loss"]["last"] == 0.125


@pytest.mark.parametrize(("text", "words"), [
    ("step;loss\n1;0,5\n2;0,25\n", ("comma, such as '0,5'", "expected a point", "'step;loss'")),
    ("step|loss\n1|0.5\n", ("comma, semicolon or tab", "'step|loss'")),
    ("step,loss\n1,0,5\n2,0,25\n", ("2 lines left out", "line 2 (3 columns, expected 2)")),
    ('step,loss\n"1,0.5\n2,0.25\n', ("2 lines left out", "in quotes as far as line 3")),
    ("1;2\n3;4\n", ("names no columns", "'1;2'")),
])
def test_a_table_of_which_nothing_fits_says_why_once(tmp_path, caplog, text, words):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError) as error:
        import_path(tmp_path / "t.csv", "store")
    assert all(word in str(error.value) for word in words) and str(error.value).count("t.csv") == 1 and not caplog.records


def test_texts_among_numbers_are_said(tmp_path):
    (tmp_path / "t.csv").write_text("step,time,loss,note\nx,soon,1,a\ny,later,2,b\nz,,3,7\n")
    store = trainmon.Store("store")
    [id] = import_path(tmp_path / "t.csv", store)
    assert [(step, value) for step, _, value in points(store, id, "loss")] == [(0, 1), (1, 2), (2, 3)] and list(store.metrics(id)) == ["loss"]
    told = " ".join(store.events(id)[-1]["data"]["problems"])
    assert "'step' has texts such as 'x'" in told and "'note' is left out" in told and "line 4" in told and "time 'soon'" in told


@pytest.fixture
def recorded():
    """A run of ours, resumed once: names that need quotes, numbers that are none, a step that comes twice, epochs."""
    nan, inf = float("nan"), float("inf")
    for resume in (None, "must"):
        with trainmon.init(id="r", name="ours", dir="ours", resume=resume, hardware=0) as run:
            for step in range(3):
                run.log({"train/loss": 1 / (step + 3), 'a, "b": c': (nan, inf, -inf)[step], " spaced": 2.0**70}, step=step + 2**60)
            run.log_epoch(0 if resume is None else 1, {"val_loss": 0.1, "map50": 0.3, "learning_rate": 1e-3, "my/own": 4, "other": 1.5})
    store = trainmon.Store("ours")
    ended(store, run.id)  # until then rows of epochs may be missing
    return store, run.id


def export(recorded, path, **options):
    with open(path, "wb") as file:
        recorded[0].export(recorded[1], file.write, **options)
    return path


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_our_own_export_comes_back(tmp_path, recorded, caplog, form):
    ours, first = recorded
    [id] = import_path(export(recorded, tmp_path / f"rt.{form}", format=form), "store")
    store = trainmon.Store("store")
    assert list(store.metrics(id)) == list(ours.metrics(first)) and store.run(id).name == "rt" and not caplog.records
    for name, metric in ours.metrics(first).items():
        before, after = ours.points(first, name), store.points(id, name)
        assert before.tobytes() == after.tobytes() and len(after) == metric["count"] == 6
    again = export((store, id), tmp_path / "again", format=form).read_bytes()
    assert again.replace(id.encode(), first.encode()) == (tmp_path / f"rt.{form}").read_bytes()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_our_own_epochs_come_back(tmp_path, recorded, caplog, form):
    ours, first = recorded
    [id] = import_path(export(recorded, tmp_path / f"rt.{form}", format=form, what="epochs"), "store")
    store = trainmon.Store("store")

    def rows(store, id):
        return [{name: value for name, value in row.items() if name not in ("id", "session_id", "created_at")} for row in store.epochs(id)]

    assert rows(store, id) == rows(ours, first) and len(rows(store, id)) == 2 and not caplog.records
    assert store.metrics(id) == {} and store.run(id).started_at is not None


def test_our_own_form_with_damage(tmp_path, recorded):
    path = export(recorded, tmp_path / "rt.csv")
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(",", ";")
    lines[3] = lines[3].rsplit(",", 1)[0] + ",much"
    lines += ["other,train/loss,5,,1", f"{recorded[1]},,5,,1", f"{recorded[1]},train/loss,,,1"]
    path.write_text("\n".join(lines))
    store = trainmon.Store("store")
    [id] = import_path(path, store)
    [told] = store.events(id)[-1]["data"]["problems"]
    assert "5 lines left out: line 3 (1 column, expected 5)" in told and "value is 'much'" in told and "another run, 'other'" in told
    assert sum(metric["count"] for metric in store.metrics(id).values()) == 18 - 2


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
