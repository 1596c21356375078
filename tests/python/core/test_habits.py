# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Scripts that were written for W&B, with `import trainmon as wandb`: what they call beside the common subset."""

import os
import subprocess
import sys
import urllib.request

import pytest
from ends import ended

import trainmon as wandb
from trainmon import habits, server

MODES = pytest.mark.parametrize("mode", ["online", "disabled"])


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(habits, "_told", set())


def test_a_script_for_wandb_runs_to_its_end(caplog):
    assert wandb.login(key="x") is True
    wandb.setup()
    run = wandb.init(project="p", settings=wandb.Settings(start_method="fork"), mode="dryrun", hardware=0)
    for _ in range(2):
        wandb.watch(object(), log="all")
    run.watch(object())
    table = wandb.Table(columns=["a"], data=[[1]])
    table.add_data(2)
    artifact = wandb.Artifact("model", type="model", metadata={"k": 1})
    artifact.add_file("x.pt")
    with artifact.new_file("notes.txt") as file:
        file.write("text")
    run.log_artifact(artifact).wait()
    left_out = {"table": table, "video": wandb.Video("x.mp4", fps=4), "audio": wandb.Audio([1], sample_rate=8), "html": wandb.Html("<p>"), "more": [table],
                "points": wandb.Object3D([1]), "pr": wandb.plot.pr_curve([1], [1]), "artifact": artifact, "plot": wandb.plot}
    for step in range(2):
        wandb.log({"loss": 0.5, **left_out}, step=step)
    wandb.config.update({"table": table})
    wandb.unwatch()
    wandb.save("*.pt")
    wandb.log_code(".")
    wandb.alert(title="t", text="x", level=wandb.AlertLevel.ERROR)
    wandb.finish()
    points = run.store.metrics(run.id)
    assert points.keys() == {"loss"} and points["loss"]["count"] == 2
    assert run.store.alerts(run.id)[0]["severity"] == "critical"
    assert ended(run.store, run.id).status == "completed"
    said = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("watch does nothing here") for text in said) == 1
    for name in left_out:
        assert sum(f": {name} = " in text for text in said) == 1, (name, said)


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR"])
def test_alert_levels_are_those_of_alert(level):
    run = wandb.init(hardware=0)
    run.alert("a", level=getattr(wandb.AlertLevel, level))
    run.alert("b", level=level)
    (one, other) = run.store.alerts(run.id)
    assert one["severity"] == other["severity"] == {"INFO": "info", "WARN": "warning", "ERROR": "critical"}[level]


def test_a_histogram_is_logged_as_figures(caplog):
    numpy = pytest.importorskip("numpy")
    from trainmon import summaries  # needs numpy

    values = numpy.random.default_rng(1).normal(size=10_000)
    run = wandb.init(hardware=0)
    run.log({"w": wandb.Histogram(values), "b": wandb.Histogram(np_histogram=numpy.histogram(values, 200)), "none": wandb.Histogram([])})
    run.flush()
    figures = summaries.of_values(values)
    found = {name: metric["last"] for name, metric in run.store.metrics(run.id).items()}
    assert found.keys() == {f"{name}/{figure}" for name in "wb" for figure in figures}
    assert {name: found[f"w/{name}"] for name in figures} == figures
    assert {name: found[f"b/{name}"] for name in figures} == pytest.approx(figures, abs=0.05)
    assert [record.getMessage() for record in caplog.records] == ["a Histogram was left out: a histogram of no values"]


@pytest.mark.parametrize("name", ["Api", "sweep", "agent", "restore", "use_artifact", "wacth"])
def test_what_is_not_there_names_the_page(name):
    with pytest.raises(AttributeError, match=rf"'trainmon' has no attribute '{name}'.*docs/guide/python.md#habits-from-wandb"):
        getattr(wandb, name)
    root = __file__.split("/tests/python/")[0]
    with open(f"{root}/docs/guide/python.md", encoding="utf-8") as page:
        assert "\n## Habits from wandb\n" in page.read()


def test_a_module_that_was_not_imported_is_named():
    code = "import sys, trainmon\ntry: trainmon.tensorboard\nexcept AttributeError as error: print(error)\nfrom trainmon import tensorboard\n" \
           "print(tensorboard is trainmon.tensorboard)"
    assert run_code(code) == "module 'trainmon' has no attribute 'tensorboard': write `import trainmon.tensorboard` first\nTrue\n"


def test_the_import_stays_as_it_is():
    code = "import sys, trainmon; before = set(dir(trainmon)); print('trainmon.habits' in sys.modules, hasattr(trainmon, '__wrapped__'), " \
           "'trainmon.habits' in sys.modules, hasattr(trainmon, 'watch'), set(dir(trainmon)) - before, 'watch' in trainmon.__all__, 'numpy' in sys.modules)"
    assert run_code(code) == "False False False True {'habits'} False False\n"


def run_code(code):
    """What a Python of its own prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@MODES
def test_calls_of_a_run_that_do_nothing_are_those_of_the_module(mode):
    run, artifact = wandb.init(mode=mode, hardware=0), wandb.Artifact("a", "b")
    for name in ("watch", "unwatch", "save", "log_code", "log_artifact", "log_model", "mark_preempting"):
        assert getattr(run, name)(artifact, name="x") is getattr(wandb, name)(artifact, name="x") is (artifact if name == "log_artifact" else None)
    assert "__getattr__" not in vars(type(run)), "it would slow every look-up of an attribute in log"
    assert not hasattr(run, "use_artifact")


def test_what_a_run_is_assigned_is_in_the_store():
    run = wandb.init(project="p", name="old", group="g", job_type="j", tags=["a"], notes="n", config={"lr": 1}, hardware=0)
    assert (run.name, run.tags, run.notes, run.project, run.group, run.job_type, run.step) == ("old", ("a",), "n", "p", "g", "j", 0)
    wandb.run.name = "zz"
    run.tags += ("b", "a")
    run.notes = "more"
    run.config = {"a": 1}
    run.log({"loss": 1})
    stored = run.store.run(run.id)
    assert (run.name, stored.name, run.step) == ("zz", "zz", 1)
    assert run.tags == ("a", "b") and stored.tags == ["project:p", "group:g", "job:j", "a", "b"]
    assert run.notes == stored.notes == "more"
    assert dict(run.config) == stored.config == {"lr": 1, "a": 1}
    run.tags, run.notes = "one", None
    assert (run.tags, run.notes, run.project) == (("one",), None, "p")


class Bad:
    """What can't be said."""

    def __str__(self):
        raise RuntimeError("no")


def test_assignments_that_do_not_fit_are_warnings(caplog):
    run = wandb.init(name="old", tags=["a"], hardware=0)
    for value in (None, "", Bad()):
        run.name = value
    run.tags, run.notes, run.config = 3, Bad(), 5
    assert (run.name, run.store.run(run.id).name, run.tags) == ("old", "old", ("a",))
    assert len(caplog.records) == 5
    run.name, run.tags, run.notes = "ä" * 5000, ["ä" * 100, ""], "x" * 100_000
    stored = run.store.run(run.id)
    assert run.name == stored.name and len(run.name.encode()) <= 4096
    assert run.tags == ("ä" * 32,) and len(run.notes) == len(stored.notes) == 65_536 and len(caplog.records) == 5


def test_a_store_that_was_closed_gives_no_tags():
    run = wandb.init(tags=["a"], hardware=0)
    run.store.close()
    assert (run.tags, run.notes, run.project) == ((), None, None)


def test_a_run_that_is_disabled_has_the_same(caplog):
    run = wandb.init(project="p", mode="disabled", config={"a": 1})
    assert (run.url, run.get_url(), run.project, run.group, run.job_type, run.notes, run.tags, run.step, run.name) == (None, ) * 6 + ((), 0, "")
    run.name, run.notes, run.tags = "zz", "n", ("t",)
    run.config = {"b": 2}
    assert (run.name, run.notes, run.tags, dict(run.config)) == ("zz", "n", ("t",), {"a": 1, "b": 2})
    wandb.log({"a": 1}, sync=False, epoch=3)
    run.watch(object())
    assert not [record for record in caplog.records if "watch" not in record.getMessage()]


@MODES
def test_the_folder_of_a_run_is_there(mode):
    run = wandb.init(mode=mode, hardware=0)
    with open(os.path.join(run.dir, "model.pt"), "wb") as file:
        file.write(b"x")
    assert os.listdir(run.dir) == ["model.pt"]
    assert run.dir != wandb.init(mode=mode, hardware=0, reinit="create_new").dir
    if mode == "disabled":
        os.remove(os.path.join(run.dir, "model.pt"))
        os.rmdir(run.dir)


@pytest.mark.skipif(not server.PROGRAM.is_file(), reason="this build has no server")
def test_the_address_of_a_run_is_that_of_its_page():
    assert wandb.init(hardware=0).url is None
    run = wandb.init(hardware=0, dashboard=True)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert run.url == run.get_url() == f"{run.dashboard.url}session/{run.id}"
    assert opener.open(run.url, timeout=60).status == 200
    run.dashboard.stop()
    assert run.url is None


def test_keywords_that_log_does_not_know(caplog):
    run = wandb.init(hardware=0)
    run.log({"a": 1.0}, sync=False)
    for _ in range(2):
        wandb.log({"a": 2.0}, epoch=1)
        wandb.log(loss=0.5)
    wandb.log({"a": 3.0}, None, True, True)
    assert [(step, value) for step, _, value in run.store.tail(run.id, "a")] == [(0, 1.0), (1, 2.0), (2, 2.0), (3, 3.0)]
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == ["log takes a dict of names and values, and no epoch: left out"]
