# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Data out of a store, into one, and whole stores."""

import csv
import io
import json
import os
import sqlite3

import pytest
from conftest import finished, record_run

import trainmon


def test_csv_on_stdout_has_every_point(cli, two_runs):
    rows = list(csv.DictReader(io.StringIO(cli("export", "wide").out)))
    store = trainmon.Store("trainmon")
    for name, metric in store.metrics(two_runs[1]).items():
        found = [(int(row["step"]), float(row["value"])) for row in rows if row["key"] == name]
        assert found == [(int(point[0]), float(point[2])) for point in store.points(two_runs[1], name)] and len(found) == metric["count"]


def test_a_file_is_not_written_over(cli, two_runs, tmp_path):
    done = cli("export", "wide", "-o", "out.jsonl", "--metrics", "train/loss", "train/acc")
    assert (done.code, done.out) == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == ["train/loss"] * 100 + ["train/acc"] * 100
    before = (tmp_path / "out.jsonl").read_bytes()
    again = cli("export", "narrow", "-o", "out.jsonl")
    assert again.code == 1 and "--force" in again.err and (tmp_path / "out.jsonl").read_bytes() == before
    answer = cli("export", "narrow", "-o", "out.jsonl", "--force", "--json")
    assert answer.json["bytes"] == os.path.getsize("out.jsonl") and answer.json["format"] == "jsonl"
    assert sorted(os.listdir()) == ["out.jsonl", "trainmon"]


def test_epochs_and_bad_requests(cli, two_runs):
    rows = list(csv.DictReader(io.StringIO(cli("export", "wide", "--what", "epochs").out)))
    assert [(row["epoch"], float(row["val_loss"])) for row in rows] == [("0", 0.4), ("1", 0.125)]
    unknown = cli("export", "wide", "--metrics", "nope", "-o", "x.csv")
    assert unknown.code == 1 and "train/loss" in unknown.err and not os.path.exists("x.csv")
    assert cli("export", "wide", "--json").code == 2
    assert cli("export", "wide", "--what", "epochs", "--metrics", "a").code == 2
    no_folder = cli("export", "wide", "-o", "no/such/x.csv", "--json")
    assert no_folder.code == 1
    assert json.loads(no_folder.err) == {"error": "the folder of no/such/x.csv is not there: no/such", "hint": "mkdir -p no/such makes it"}


def test_an_ending_that_is_not_known_is_refused(cli, two_runs):
    for name, words in (("out.parquet", ("'.parquet'", ".csv, .jsonl, .ndjson", "--format")), ("out.json", ("did you mean .jsonl?",))):
        done = cli("export", "wide", "-o", name)
        assert done.code == 2 and all(word in done.err for word in words) and not os.path.exists(name)
    assert cli("export", "wide", "-o", "out.json", "--format", "jsonl", "--json").json["format"] == "jsonl"
    for name, form in (("OUT.CSV", "csv"), ("out", "csv"), ("events.out.tfevents.7.x", "tensorboard")):
        assert cli("export", "wide", "-o", name, "--json").json["format"] == form
    os.mkdir("folder.parquet")
    assert cli("export", "wide", "-o", "folder.parquet").code == 0 and os.listdir("folder.parquet") == ["wide-points.csv"]


def test_an_export_without_data_says_so(cli):
    run = trainmon.init(name="bare", hardware=0)
    run.log({"loss": 1.0})
    finished(run)
    done = cli("export", "bare", "--what", "epochs")
    assert done.code == 0 and done.out.count("\n") == 1 and "bare has no epochs" in done.err and "--what points" in done.err
    assert cli("export", "bare", "--what", "epochs", "-o", "x.csv", "--json").json["empty"] is True
    assert cli("export", "bare").err == ""


def test_tensorboard_reads_the_export(cli, two_runs):
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert cli("export", "wide", "--format", "tensorboard", "-o", "events/").code == 0
    scalars = loading.EventAccumulator("events", size_guidance={"scalars": 0})
    scalars.Reload()
    points = trainmon.Store("trainmon").points(two_runs[1], "train/loss")
    assert [(event.step, event.value) for event in scalars.Scalars("train/loss")] == [(int(point[0]), pytest.approx(float(point[2]))) for point in points]


def test_progress_goes_to_a_terminal_only(at_terminal, cli, two_runs, tmp_path):
    assert "\r" not in cli("export", "wide", "-o", "a.csv").err
    code, said = at_terminal("export", "wide", "-o", "b.csv")
    assert code == 0 and "100%" in said and (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert at_terminal("export", "wide", "--format", "tensorboard")[0] == 1


def test_backup_while_a_trainer_writes(trainer, cli):
    old = record_run("old", [0.5, 0.25])
    _process, id = trainer()
    trainmon.Store("trainmon").metrics(id)
    done = cli("backup", "copy/of-it", "--json")
    assert done.code == 1 or done.json["folder"].endswith("copy/of-it")  # the folder above may have to be there
    answer = cli("backup", "copy2", "--json")
    assert answer.code == 0 and answer.json["bytes"] > 0
    copy, store = trainmon.Store("copy2"), trainmon.Store("trainmon")
    assert copy.run(id).status == "interrupted" and store.run(id).status == "running"
    assert list(copy.points(old, "train/loss")) == list(store.points(old, "train/loss"))
    copy.close()
    assert sqlite3.connect("copy2/trainmon.db", timeout=60).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    again = cli("backup", "copy2")
    assert again.code == 1 and "there already" in again.err


def test_backup_tells_how_far_it_is_and_can_be_ended(at_terminal):
    record_run("old", [0.5])
    code, said = at_terminal("backup", "copy")
    assert code == 0 and "backup  " in said and "is copied to" in said
    store, told = trainmon.Store("trainmon"), []
    store.backup("second", lambda *numbers: told.append(numbers))
    assert told[-1][0] == told[-1][1] > 0 and [done for done, _ in told] == sorted(done for done, _ in told)

    def refuse(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.backup("third", refuse)
    assert not os.path.exists("third")
    with pytest.raises(trainmon.TrainmonError) as error:
        store.backup("second")
    assert error.value.name == "TMON_EEXISTS"


def test_import_says_what_is_wrong(cli, tmp_path):
    assert cli("import", "nowhere").code == 1
    (tmp_path / "empty").mkdir()
    assert cli("import", "empty", "--format", "excel").code == 2
    pytest.importorskip("trainmon.importers")
    done = cli("import", "empty")
    assert done.code == 1 and "--format" in done.err and not (tmp_path / "trainmon").exists()
    (tmp_path / "empty" / "metrics.csv").write_bytes(bytes(range(256)))
    broken = cli("import", "empty", "--json")
    assert broken.code == 1 and "Traceback" not in broken.err and "metrics.csv" in broken.err


def test_import_of_nothing_and_of_a_store(cli, two_runs):
    done = cli("import", "nowhere")
    assert done.code == 1 and "nowhere: there is no such file or folder" in done.err
    for path in ("trainmon", "trainmon/trainmon.db"):
        done = cli("import", path)
        assert done.code == 1 and f"{path}: this is a store of trainmon" in done.err and "trainmon runs --store trainmon" in done.err
    assert len(trainmon.Store("trainmon").runs()) == 2


def test_import_says_once_what_it_could_not_read(cli, tmp_path):
    (tmp_path / "t.csv").write_text("step,loss\n1,0,5\n")
    done = cli("import", "t.csv", "--store", "new")
    assert done.code == 1 and done.err.count("line 2 (3 columns, expected 2)") == 1 and len(done.err.strip().splitlines()) == 1
    (tmp_path / "t.csv").write_text("step,loss\n1,0,5\n2,0.5\n")
    done = cli("import", "t.csv", "--store", "new")
    assert done.code == 0 and done.err.count("line 2 (3 columns, expected 2)") == 1


def test_an_export_can_be_imported(cli, two_runs):
    assert cli("export", "wide", "-o", "rt.csv").code == 0
    [id] = cli("import", "rt.csv", "--store", "new", "--json").json["runs"]
    before, after = trainmon.Store("trainmon"), trainmon.Store("new")
    assert {name: metric["count"] for name, metric in after.metrics(id).items()} == {
        name: metric["count"] for name, metric in before.metrics(two_runs[1]).items()}


def test_import_of_a_real_tensorboard_log(cli):
    pytest.importorskip("trainmon.importers.tensorboard")
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    writer = tensorboard.SummaryWriter("logs/first")
    for step in range(100):
        writer.add_scalar("train/loss", 1 / (step + 1), step)
    writer.close()
    done = cli("import", "logs", "--json")
    assert (done.code, done.json["format"], len(done.json["runs"])) == (0, "tensorboard", 1)
    points = trainmon.Store("trainmon").points(done.json["runs"][0], "train/loss")
    assert [(int(point[0]), float(point[2])) for point in points] == [(step, pytest.approx(1 / (step + 1))) for step in range(100)]
    again = cli("import", "logs")
    assert again.code == 0 and "Nothing new" in again.err and len(trainmon.Store("trainmon").runs()) == 1
    forced = cli("import", "logs", "--force")
    assert forced.code == 0 and "1 run of tensorboard" in forced.err and done.json["runs"][0][:8] in forced.out


def test_import_of_two_kinds_says_which(cli, tmp_path):
    pytest.importorskip("trainmon.importers.csv_file")
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    tensorboard.SummaryWriter("logs").close()
    (tmp_path / "logs" / "metrics.csv").write_text("step,train/loss\n0,0.5\n1,0.25\n")
    assert "--format csv takes the other" in cli("import", "logs").err
    done = cli("import", "logs", "--format", "csv", "--json")
    assert done.code == 0 and len(done.json["runs"]) == 1
    assert trainmon.Store("trainmon").metrics(done.json["runs"][0])["train/loss"]["last"] == 0.25
    (tmp_path / "logs" / "mlflow.db").write_bytes(b"")
    assert "holds tensorboard, mlflow and csv: tensorboard is taken, --format mlflow or csv takes another" in cli("import", "logs").err
