# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Arguments of a store's methods that mean nothing, and answers that are the caller's."""

import pytest
from ends import all_ended, ended

import trainmon


@pytest.mark.parametrize("call", [
    lambda store, id: store.runs(sort="size"), lambda store, id: store.leaderboard(mode="worst"), lambda store, id: store.leaderboard(direction="up"),
    lambda store, id: store.results("result"), lambda store, id: store.series(id, "a", axis="x"), lambda store, id: store.request(id, "go"),
    lambda store, id: store.export(id, bytes, format="xml"), lambda store, id: store.tail(id, "a", 10**10), lambda store, id: store.tail(id, "a", -1)])
def test_words_that_mean_nothing(call):
    run = trainmon.init(hardware=0)
    run.log({"a": 1.0})
    run.flush()
    with pytest.raises(ValueError, match=r"is .*(expected|none of)"):
        call(run.store, run.id)


def test_answers_may_be_changed():
    pytest.importorskip("numpy")
    run = trainmon.init(hardware=0)
    run.log_points("a", range(100_000), [1.0] * 100_000)
    run.flush()
    points, buckets = run.store.points(run.id, "a"), run.store.series(run.id, "a").array()
    points["value"] *= 2
    buckets["last"] += 1
    assert len(points) == 100_000 and set(points["value"]) == {2.0} and set(buckets["last"]) == {2.0}
    assert run.store.points(run.id, "a")["value"].sum() == 100_000


READERS = {
    "run": lambda store, id: store.run(id).id, "metrics": lambda store, id: store.metrics(id), "points": lambda store, id: list(store.points(id, "train/loss")),
    "series": lambda store, id: list(store.series(id, "train/loss")), "tail": lambda store, id: store.tail(id, "train/loss"),
    "dataframe": lambda store, id: store.dataframe(id).to_dict(), "epochs": lambda store, id: store.epochs(id), "events": lambda store, id: store.events(id),
    "alerts": lambda store, id: store.alerts(id), "conditions": lambda store, id: store.conditions(id), "images": lambda store, id: store.images(id),
    "results": lambda store, id: store.results("benchmarks", id), "compare": lambda store, id: store.compare([id, id], ["train/loss"]),
    "export": lambda store, id: store.export(id, bytes), "follow": lambda store, id: store.follow(id).id, "request": lambda store, id: store.request(id, "run")}


@pytest.mark.parametrize("reader", READERS)
def test_a_run_is_found_by_its_start_and_its_name(reader):
    if reader == "dataframe":
        pytest.importorskip("pandas")
    run = trainmon.init(name="first try", hardware=0)
    run.log({"train/loss": 1.0})
    run.log_epoch(1, {"train/loss": 1.0})
    run.log_benchmark(model_name="m")
    run.alert("title")
    run.flush()
    run.finish()
    store, read = trainmon.Store("trainmon"), READERS[reader]
    ended(store, run.id)
    if reader == "request":
        for id in (run.id, run.id[:8], run.name):
            with pytest.raises(trainmon.StateError):
                read(store, id)
    elif reader != "compare":  # which wants two runs
        answer = read(store, run.id)
        assert read(store, run.id[:8]) == read(store, run.name) == answer
    for id, message in (("first tri", "no run 'first tri' in .* \\(did you mean 'first try'"), ("nothing", "no run 'nothing' in [^;]*$")):
        with pytest.raises(trainmon.NotFoundError, match=message):
            read(store, id)
    if reader != "dataframe":  # which takes a list of them, too
        with pytest.raises(trainmon.InvalidError, match=r"id is 5, expected the id of a run"):
            read(store, 5)


def test_two_runs_are_compared_by_name():
    for name in ("one", "two"):
        with trainmon.init(name=name, hardware=0) as run:
            run.log({"a": 1.0})
            run.flush()
    store = trainmon.Store("trainmon")
    all_ended(store)  # at the end the figures are those of all points
    assert store.compare(["one", "two"], ["a"]) == store.compare([store.run("one").id, store.run("two").id], ["a"])


@pytest.mark.parametrize("reader", ["points", "series", "tail"])
def test_a_metric_that_is_not_there(reader):
    run = trainmon.init(name="first", hardware=0)
    run.log({"train/loss": 1.0, "val/acc": 1.0})
    run.flush()
    for id in (run.id, "first"):
        with pytest.raises(trainmon.NotFoundError, match=r'has no metric "train/los" \(did you mean \'train/loss\'\?\)'):
            getattr(run.store, reader)(id, "train/los")
        with pytest.raises(trainmon.NotFoundError, match=r'has no metric "z"; it has train/loss, val/acc'):
            getattr(run.store, reader)(id, "z")


def test_a_store_that_must_be_there(tmp_path):
    with pytest.raises(trainmon.NotFoundError):
        trainmon.Store("not/there", must_exist=True)
    assert not list(tmp_path.iterdir())
