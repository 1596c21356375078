# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A store that was closed: every method says so, and what hangs on it goes on or ends in order."""

import inspect

import pytest

import trainmon

ARGUMENTS = {"id": "", "name": "a", "control": "stop", "hash": "0" * 64, "kind": "benchmarks", "folder": "copy", "ids": ["", ""], "write": bytes}


@pytest.fixture
def run():
    """A live run with a point."""
    run = trainmon.init(hardware=0)
    run.log({"a": 1.0})
    run.flush()
    return run


def methods():
    """Gives the public methods but those that open and close."""
    return [name for name, _ in inspect.getmembers(trainmon.Store, inspect.isfunction) if not name.startswith("_") and name != "close"]


@pytest.mark.parametrize("name", methods())
def test_methods(run, name):
    store = trainmon.Store(run.store.path)
    with store:
        pass
    store.close()
    method = getattr(store, name)
    parameters = inspect.signature(method).parameters.values()
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD]
    with pytest.raises(trainmon.StateError, match="was closed"):
        answer = method(*({**ARGUMENTS, "id": run.id, "ids": [run.id, run.id]}[one] for one in needed))
        list(answer)  # a generator begins here


def test_what_was_opened_before(run):
    store = trainmon.Store(run.store.path)
    follow, series = store.follow(run.id), store.series(run.id, "a")
    pieces = []

    def write(data):
        store.close()
        pieces.append(data)

    store.export(run.id, write)
    assert b"1" in b"".join(pieces)
    assert [bucket["last"] for bucket in series] == [1.0]
    run.log({"a": 2.0})
    assert [point[3] for point in follow.take()] == [2.0]
    with pytest.raises(trainmon.StateError):
        follow.record()


def test_a_run_goes_on(run, caplog):
    with run.store:
        pass
    run.log({"a": 2.0, "b": 1.0})
    run.event("mark")
    run.alert("title")
    run.config["x"] = 1
    run.log_benchmark(model_name="m")
    run.request("stop")
    assert run.should_stop
    run.finish()
    assert not caplog.records
    store = trainmon.Store("trainmon")
    assert store.metrics(run.id)["a"]["count"] == 2
    assert store.run(run.id).config == {"x": 1}
    assert len(store.results("benchmarks", run.id)) == 1
