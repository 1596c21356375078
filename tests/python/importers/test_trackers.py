# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Runs that the real wandb and mlflow left (data/README.md), compared with what the tools themselves read in them."""

import json
import math

import pytest

import trainmon
from trainmon.importers import SourceError, detect, import_path, mlflow, wandb


def points(store, id, name):
    return [tuple(point) for point in store.points(id, name).tolist()]


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize(("archive", "runs", "most"), [("wandb", 2, 40), ("wandb-large", 1, 1200)])
def test_wandb_rows_are_those_that_wandb_reads(unpack, archive, runs, most):
    folder = unpack(archive)
    expected = json.loads((folder / "wandb.json").read_text())
    store = trainmon.Store("store")
    ids = wandb.import_path(folder, store)
    assert len(ids) == len(expected) == runs
    for id, (_, said) in zip(ids, sorted(expected.items()), strict=True):
        wanted = {}
        for step, row in said["rows"]:
            at = row.pop("_timestamp")
            for name, value in row.items():
                if not name.startswith("_") and isinstance(value, (int, float)) and name.split("/")[0] not in ("hist", "img"):
                    wanted.setdefault(name, []).append((step, round(at * 1e6), float(value)))
        said["config"].pop("_wandb", None)
        assert store.run(id).config == said["config"]
        assert len(wanted) >= 6 and max(map(len, wanted.values())) >= most
        for name, rows in wanted.items():
            found = points(store, id, name)
            assert [row[:2] for row in found] == [row[:2] for row in rows], name
            assert all(same(a[2], b[2]) for a, b in zip(found, rows, strict=True)), name


def test_wandb_keeps_what_is_known_of_a_run(unpack):
    store = trainmon.Store("store")
    first, second = (store.run(id) for id in wandb.import_path(unpack("wandb"), store))
    assert (first.name, first.status, first.notes) == ("first try", "completed", "made for a test")
    assert first.tags == ["imported", "from:wandb", "project:digits", "group:g1", "job:train", "small", "fixture"]
    assert first.summary["best"] == 0.99 and points(store, first.id, "best")[0][2] == 0.99
    assert first.config["model"] == {"layers": [3, 4], "name": "mlp"} and first.config["late"] == 5
    assert (second.name, second.status, second.error_text) == ("second", "failed", "exit code 3")
    [picture] = store.images(first.id)
    assert (picture["name"], picture["step"], picture["caption"], picture["width"]) == ("img", 50, "hi", 8)
    messages = [event["message"] for event in store.events(first.id) if event["kind"] == "text"]
    assert messages == ["text: hello", "alert: title: text"]
    assert store.metrics(first.id)["system/memory_percent"]["count"] >= 2


def test_wandb_does_not_follow_a_picture_out_of_its_folder(unpack, tmp_path):
    folder = unpack("wandb")
    secret = tmp_path / "secret.png"
    picture = next((folder / "wandb").rglob("*.png"))
    picture.rename(secret)
    picture.symlink_to(secret)
    store = trainmon.Store("store")
    id = wandb.import_path(folder, store)[0]
    assert store.images(id) == [] and "outside" in store.events(id)[-1]["data"]["problems"][0]


def test_wandb_moved_is_the_same_run_and_a_cut_one_says_so(unpack):
    folder = unpack("wandb")
    store = trainmon.Store("store")
    assert len(wandb.import_path(folder, store)) == 2
    (folder / "wandb").rename(folder / "moved")
    assert wandb.import_path(folder, store) == []
    file = next((folder / "moved").rglob("run-def67890.wandb"))
    file.write_bytes(file.read_bytes()[:-500])
    [id] = wandb.import_path(folder, store)
    record = store.run(id)
    assert record.status == "failed" and "no end" in record.error_text and points(store, id, "m3")[0][2] == 0.0
    assert "ends within" in store.events(id)[-1]["message"]


@pytest.mark.parametrize(("path", "expected"), [("mlflow.db", "mlflow.json"), ("mlruns", "mlruns.json")])
def test_mlflow_runs_are_those_that_mlflow_reads(unpack, path, expected):
    folder = unpack("mlflow")
    said = json.loads((folder / expected).read_text())
    store = trainmon.Store("store")
    ids = mlflow.import_path(folder / path, store)
    found = {store.run(id).name: store.run(id) for id in ids}
    assert len(ids) == len(said) == 4 and set(found) == {"first", "child", "second", "killed"}
    for run in said.values():
        record = found[run["name"]]
        assert record.status == {"FINISHED": "completed", "FAILED": "failed", "KILLED": "cancelled"}[run["status"]]
        assert round(record.started_at.timestamp() * 1000) == run["start"] and round(record.completed_at.timestamp() * 1000) == run["end"]
        assert {name: str(value) for name, value in record.config.items()} == run["params"]
        assert set(store.metrics(record.id)) == set(run["points"])
        for name, rows in run["points"].items():
            wanted = [(step, milliseconds * 1000, math.inf if float(value) > 1e308 else float(value)) for step, milliseconds, value in rows]
            assert all(a[:2] == b[:2] and same(a[2], b[2]) for a, b in zip(points(store, record.id, name), wanted, strict=True)), name
    assert found["child"].parent_id == found["first"].id
    assert found["first"].notes == "a note" and found["first"].tags == ["imported", "from:mlflow", "project:digits", "kind:x", "team:a"]
    assert mlflow.import_path(folder / path, store) == []


def test_mlflow_many_points(unpack):
    folder = unpack("mlflow-large")
    [said] = json.loads((folder / "mlflow.json").read_text()).values()
    store = trainmon.Store("store")
    [id] = mlflow.import_path(folder / "mlflow.db", store)
    assert {name: str(value) for name, value in store.run(id).config.items()} == said["params"]
    assert set(store.metrics(id)) == set(said["points"]) and sum(map(len, said["points"].values())) > 3800
    for name, rows in said["points"].items():
        wanted, found = [(step, time * 1000, float(value)) for step, time, value in rows], points(store, id, name)
        assert [row[:2] for row in found] == [row[:2] for row in wanted], name
        assert all(same(a[2], b[2]) for a, b in zip(found, wanted, strict=True)), name
    assert [value for _, _, value in points(store, id, "odd")][:3:2] == [0.0, 100.0]


def test_mlflow_reads_real_tables_alone(unpack):
    import sqlite3

    database = unpack("mlflow") / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.executescript("ALTER TABLE metrics RENAME TO old; CREATE VIEW metrics AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
                                 " SELECT 'k' AS key, x AS value, x AS timestamp, run_uuid, x AS step, 0 AS is_nan FROM n, runs")
    with pytest.raises(SourceError, match="no table metrics"):
        mlflow.import_path(database, "store")


def test_detect_tells_the_sources(unpack):
    assert detect(unpack("wandb")) == ["wandb"]
    assert detect(unpack("mlflow") / "mlflow.db") == ["mlflow"]
    assert detect(unpack("mlflow") / "mlruns") == ["mlflow"]


def test_nothing_and_a_store_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nosuch: there is no such file or folder"):
        import_path("nosuch", "s")
    store = trainmon.Store("ours")
    for path in ("ours", "ours/trainmon.db"):
        assert detect(path) == []
        with pytest.raises(SourceError, match=f"{path}: this is a store of trainmon"):
            import_path(path, "s")
    (tmp_path / "metrics.csv").write_text("step,loss\n1,0.5\n")
    (tmp_path / "metrics.csv").rename("ours/metrics.csv")  # beside the store there may be what can be imported
    assert len(import_path("ours", store)) == 1
