# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run from its start to its end, and what is found in the store afterwards."""

import argparse
import decimal
import math
import sqlite3

import numpy
import pytest
from ends import ended

import trainmon


def values(store, run, name):
    return [(int(point["step"]), float(point["value"])) for point in store.points(run.id, name)]


def test_points_have_their_steps_and_values(store):
    with trainmon.init(project="digits", config={"lr": 0.1}) as run:
        for step in range(1000):
            run.log({"train/loss": 1 / (step + 1), "train/acc": step / 1000})
    assert values(store, run, "train/loss") == [(step, 1 / (step + 1)) for step in range(1000)]
    assert values(store, run, "train/acc") == [(step, step / 1000) for step in range(1000)]
    record = ended(store, run.id)
    assert (record.status, record.config, record.tags) == ("completed", {"lr": 0.1}, ["project:digits"])


def test_sqlite_reads_the_same(store):
    """The row is held against SQLite's own reader."""
    run = trainmon.init(name="by hand", notes="n", tags=["a"], model_type="mlp", epochs=3)
    run.log_epoch(0, {"train/loss": 0.5, "val/acc": 0.75, "mine": 7})
    run.finish()
    ended(store, run.id)
    row = sqlite3.connect("trainmon/trainmon.db").execute(
        "SELECT session_name, notes, tags, model_type, epochs, status, total_loss, val_accuracy, json_extract(extra, '$.mine') "
        "FROM training_sessions s JOIN training_metrics m ON m.session_id = s.id").fetchone()
    assert row == ("by hand", "n", '["a"]', "mlp", 3, "completed", 0.5, 0.75, 7)


def test_every_kind_of_number(store):
    run = trainmon.init()
    run.log({"int": 3, "bool": True, "decimal": decimal.Decimal("0.25"), "float32": numpy.float32(0.5), "zero_d": numpy.array(2.0), "one": numpy.array([4.0]),
             "nan": math.nan, "inf": -math.inf, "huge": 10**400})
    run.finish()
    last = {name: metric["last"] for name, metric in store.metrics(run.id).items() if not name.startswith("system/")}
    assert math.isnan(last.pop("nan"))
    assert last == {"int": 3, "bool": 1, "decimal": 0.25, "float32": 0.5, "zero_d": 2, "one": 4, "inf": -math.inf, "huge": math.inf}


@pytest.mark.parametrize("bad", ["text", object(), numpy.zeros(2), b"x", 1j, [1, 2]])
def test_a_bad_value_is_one_warning(store, caplog, bad):
    run = trainmon.init()
    for _ in range(3):
        run.log({"bad": bad, "good": 1.0})
    run.finish()
    assert [name for name in store.metrics(run.id) if not name.startswith("system/")] == ["good"]
    assert store.metrics(run.id)["good"]["count"] == 3
    assert len([record for record in caplog.records if "bad" in record.message]) == 1


@pytest.mark.parametrize("bad", [None, 5, "abc", [("a", 1)], {1, 2}])
def test_log_of_no_mapping_never_raises(caplog, bad):
    run = trainmon.init()
    run.log(bad)
    assert "log takes a dict" in caplog.text


def test_a_known_set_of_names_with_a_bad_value_keeps_the_others(store):
    run = trainmon.init()
    run.log({"a": 1, "b": 2})
    run.log({"a": 3, "b": "x"})
    run.log({"a": 4, "b": 5})
    run.finish()
    assert values(store, run, "a") == [(0, 1), (1, 3), (2, 4)]
    assert values(store, run, "b") == [(0, 2), (2, 5)]


def test_nested_names_and_steps(store):
    run = trainmon.init()
    run.log({"train": {"loss": 1.0, "deep": {"er": 2.0}}}, step=7)
    run.log({"x": 1}, commit=False)
    run.log({"y": 1})
    run.log({"z": 1})
    run.finish()
    assert values(store, run, "train/deep/er") == [(7, 2.0)]
    assert (values(store, run, "x"), values(store, run, "y"), values(store, run, "z")) == ([(8, 1)], [(8, 1)], [(9, 1)])


def test_define_metric_gives_an_axis(store):
    run = trainmon.init()
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch")
    run.log({"val/loss": 0.5, "epoch": 3, "train/loss": 1.0})
    run.log({"val/loss": 0.4, "epoch": 4, "train/loss": 0.9})
    run.finish()
    assert values(store, run, "val/loss") == [(3, 0.5), (4, 0.4)]
    assert values(store, run, "train/loss") == [(0, 1.0), (1, 0.9)]


def test_many_points_at_once(store):
    run = trainmon.init()
    run.log_points("a", numpy.arange(1000), numpy.linspace(0, 1, 1000), numpy.arange(1000) * 1_000_000)
    run.log_points("b", [1, 2], [3, 4.5])
    run.finish()
    points = store.points(run.id, "a")
    assert numpy.array_equal(points["value"], numpy.linspace(0, 1, 1000)) and numpy.array_equal(points["time"], numpy.arange(1000) * 1_000_000)
    assert values(store, run, "b") == [(1, 3), (2, 4.5)]


def test_an_exception_marks_failure_and_goes_on(store):
    with pytest.raises(ZeroDivisionError), trainmon.init() as run:
        1 / 0  # noqa: B018
    record = ended(store, run.id)
    assert (record.status, record.error_text) == ("failed", "ZeroDivisionError: division by zero")


def test_ctrl_c_marks_cancelled(store):
    with pytest.raises(KeyboardInterrupt), trainmon.init() as run:
        raise KeyboardInterrupt
    assert ended(store, run.id).status == "cancelled"


def test_resume_goes_on_counting(store):
    first = trainmon.init(id="my own name", config={"lr": 1})
    first.log({"a": 1})
    first.log({"a": 2})
    first.finish()
    again = trainmon.init(id="my own name", resume="must", config={"wd": 2})
    again.log({"a": 3})
    again.finish()
    assert first.id == again.id
    assert values(store, again, "a") == [(0, 1), (1, 2), (2, 3)]
    assert again.config.as_dict() == {"lr": 1, "wd": 2}
    with pytest.raises(trainmon.TrainmonError, match="never"):
        trainmon.init(id="my own name", resume="never")
    with pytest.raises(trainmon.NotFoundError):
        trainmon.init(id="another", resume="must")


def test_disabled_touches_nothing(tmp_path):
    run = trainmon.init(mode="disabled", config={"lr": 1})
    run.log({"a": object()})
    run.alert("x")
    assert run.config.lr == 1 and run.disabled and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("values", [{"a": 1}, argparse.Namespace(a=1), [("a", 1)], iter([["a", 1]])])
def test_config_takes_what_mappings_take(values):
    run = trainmon.init(config={"b": 2}, hardware=0)
    run.config.update(values, values=3, self=4, allow_val_change=True)
    assert run.config.as_dict() == {"b": 2, "a": 1, "values": 3, "self": 4}


def test_config_changes_reach_the_store(store):
    run = trainmon.init(config={"lr": 0.1})
    run.config.update({"layers": [1, 2]})
    run.config.name = "x"
    run.config["where"] = numpy.float32(0.5)
    run.finish()
    assert store.run(run.id).config == {"lr": 0.1, "layers": [1, 2], "name": "x", "where": 0.5}


def test_an_assigned_summary_updates_it(store):
    run = trainmon.init()
    run.summary["epochs"] = 3
    run.summary = {"best": 0.5}
    run.summary = 7
    run.finish()
    assert run.summary.as_dict() == store.run(run.id).summary == {"epochs": 3, "best": 0.5}
    disabled = trainmon.init(mode="disabled")
    disabled.summary = {"best": 0.5}
    assert disabled.summary.best == 0.5


def test_a_second_init_finishes_the_first(store):
    first = trainmon.init()
    assert trainmon.init(reinit=False) is first
    second = trainmon.init()
    assert first.finished and ended(store, first.id).status == "completed" and not second.finished


def test_as_wandb(store):
    import trainmon as wandb

    run = wandb.init(project="p", entity="team", config={"lr": 0.1}, tags=["t"], settings=None)
    wandb.config.update({"epochs": 3})
    wandb.define_metric("score", summary="min")
    for step in range(3):
        wandb.log({"score": 1 - step / 10, "picture": wandb.Image(numpy.zeros((8, 8), "uint8"), caption="c")})
    run.flush()  # pictures are queued, and the end waits 100 ms at most
    wandb.finish()
    record = store.run(run.id)
    assert (record.config, record.best_metric, record.tags) == ({"lr": 0.1, "epochs": 3}, "score:min", ["project:p", "t"])
    pictures = store.images(run.id)
    assert len(pictures) == 3 and (pictures[0]["width"], pictures[0]["caption"]) == (8, "c")


def test_pause_and_stop_from_another_store(store):
    run = trainmon.init()
    store.request(run.id, "pause")
    assert run.control == "pause" and run.wait_while_paused(timeout=0.3) is False
    store.request(run.id, "run")
    assert run.wait_while_paused() is False
    store.request(run.id, "stop")
    assert run.should_stop and run.wait_while_paused() is True


def stopped_loop(run, store, look):
    """A loop that is stopped from another store after its third step; gives how many steps it made."""
    for step in range(10):
        run.log({"a": step})
        if step == 2:
            store.request(run.id, "stop")
        if look(run):
            return step + 1
    return 10


@pytest.mark.parametrize(("look", "steps", "status"), [
    (lambda run: run.wait_while_paused(), 3, "cancelled"), (lambda run: run.should_stop, 3, "cancelled"), (lambda run: run.control == "stop", 3, "cancelled"),
    (lambda run: False, 10, "completed")])
def test_a_stop_that_was_obeyed_is_cancelled(store, look, steps, status):
    with trainmon.init(hardware=0) as run:
        assert stopped_loop(run, store, look) == steps
    assert ended(store, run.id).status == status
    plain = trainmon.init(hardware=0)
    assert stopped_loop(plain, store, look) == steps
    trainmon.finish()
    assert ended(store, plain.id).status == status


@pytest.mark.parametrize(("end", "status"), [({"status": "completed"}, "completed"), ({"exit_code": 0}, "completed"), ({"exit_code": 3}, "failed")])
def test_a_script_may_say_how_a_stopped_run_ended(store, end, status):
    run = trainmon.init(hardware=0)
    stopped_loop(run, store, lambda run: run.should_stop)
    run.finish(**end)
    assert ended(store, run.id).status == status


def test_a_stop_that_was_taken_back_is_none(store):
    run = trainmon.init(hardware=0)
    store.request(run.id, "stop")
    assert run.should_stop
    store.request(run.id, "run")
    run.finish()
    assert ended(store, run.id).status == "completed"


def test_results_and_matrices(store):
    run = trainmon.init()
    run.log_validation(2, {"cat": {"precision": 0.5, "recall": 0.25, "support": 4, "auc": math.nan}, "dog": {"precision": 1}})
    run.log_confusion(numpy.array([[3, 1], [2, 4]]), ["cat", "dog"], epoch=3)
    run.log_benchmark(model_name="m", avg_inference_ms=2.5)
    run.log_trial(experiment_name="search", trial=1, objective_value=0.5, parameters={"lr": 1})
    run.finish()
    rows = {row["class_name"]: row for row in store.results("validation_results", run.id, by_epoch=True, epoch=2)}
    assert (rows["cat"]["precision"], rows["cat"]["support"], rows["cat"]["auc_roc"], rows["dog"]["recall"]) == (0.5, 4, None, None)
    matrix = store.results("confusion_matrices", run.id)[0]
    assert matrix["matrix"] == [[3, 1], [2, 4]] and matrix["per_class"][0]["recall"] == 0.75
    assert store.results("benchmarks", run.id)[0]["avg_inference_ms"] == 2.5
    assert store.results("hyperparameter_runs", run.id)[0]["objective_value"] == 0.5


def test_unusable_folder_is_a_warning(tmp_path, caplog):
    (tmp_path / "trainmon").write_text("a file, not a folder")
    run = trainmon.init()
    run.log({"a": 1})
    assert run.disabled and "not recorded" in caplog.text


def test_wrong_arguments_raise():
    with pytest.raises(trainmon.InvalidError, match="mode"):
        trainmon.init(mode="loud")
    with pytest.raises(trainmon.InvalidError):
        trainmon.init(tags=["x" * 100])


class Index:
    """Something that is an integer for whoever asks, and nothing else."""

    def __index__(self):
        return 4


@pytest.mark.parametrize(("step", "meant"), [(numpy.uint8(0), 0), (numpy.int8(127), 127), (Index(), 4)])
def test_a_step_of_another_kind_counts_on_as_an_integer(store, step, meant):
    run = trainmon.init(hardware=0)
    for _ in range(2):  # the second call takes the short way
        run.log({"a": 1}, step=step, commit=False)
    run.log({"a": 2})
    run.log({"a": 3}, step=step)
    run.log({"a": 4})
    run.finish()
    assert values(store, run, "a") == [(meant, 1), (meant, 1), (meant, 2), (meant, 3), (meant + 1, 4)]
