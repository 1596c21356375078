# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Values, rows and settings that do not fit: nothing raises into the training, and what is recorded is right."""

import contextlib
import copy
import gc
import json
import math
import os
import pickle
import time
import warnings
import weakref

import pytest

import trainmon
from trainmon import store as stores
from trainmon import values

BYTES = os.fsdecode(b"a\xff")  # a file name that is no UTF-8


@pytest.fixture
def run():
    return trainmon.init(hardware=0)


def test_rows_that_do_not_fit_are_warnings(run, caplog):
    for matrix in ([[1, -2], [3, 4]], [[1, math.nan], [3, 4]], [1, 2, 3, 4], None):
        run.log_confusion(matrix, ["a", "b"], epoch=1)
    run.log_validation(None, {"a": {"recall": 1}})
    run.log_validation(1, {"a": 0.5})
    run.log_image("a", b"", step="x")
    run.log_benchmark(model_name=object)
    assert len(caplog.records) >= 4
    assert not run.store.results("confusion_matrices") and not run.store.results("validation_results")


@pytest.mark.parametrize("groups", [["g"], [], ["g"] * 3])
def test_groups_of_another_length_are_left_out(run, groups):
    run.log_confusion([[1, 2], [3, 4]], ["a", "b"], epoch=1, groups=groups)
    (row,) = run.store.results("confusion_matrices")
    assert row["matrix"] == [[1, 2], [3, 4]]


def test_names_that_are_no_utf8(run):
    numpy = pytest.importorskip("numpy")
    run.log_validation(1, {BYTES: {"recall": 1}})
    run.log_benchmark(model_name=BYTES)
    run.config["path"] = BYTES
    run.log_image("a", trainmon.Image(numpy.zeros((4, 4)), boxes=[{"x": 0, "y": 0, "width": 1, "height": 1, "label": BYTES + "ä" * 200}]))
    run.flush()
    store = run.store
    assert store.results("validation_results")[0]["class_name"] == "a?"
    assert store.results("benchmarks")[0]["model_name"] == "a?"
    assert store.run(run.id).config == {"path": "a?"}
    (box,) = store.images(run.id)[0]["boxes"]
    assert box["label"].startswith("a?ä") and "\ufffd" not in box["label"]


def test_settings_of_any_kind():
    inner = {}
    inner["self"] = inner["again"] = inner
    run = trainmon.init(hardware=0, config={"class": dict, "inner": inner, "seed": 10**5000, "low": -(10**400), "twice": [(1, 2)] * 2})
    kept = run.store.run(run.id).config
    assert kept == {"class": "dict", "inner": {"self": "...", "again": "..."}, "seed": "<int>", "low": str(-(10**400)), "twice": [[1, 2], [1, 2]]}
    assert json.loads(values.to_json({"a": 2**80}))["a"] == str(2**80)


def test_settings_are_copied_without_the_run():
    run = trainmon.init(hardware=0, config={"a": [1]})
    for made in (copy.deepcopy(run.config), copy.copy(run.config), pickle.loads(pickle.dumps(run.config))):
        assert made == run.config
        made["a"] = 2
    assert run.config["a"] == [1]


@pytest.mark.parametrize("name", ["ä" * 60, "x" + "漢" * 60, "p" * 90, BYTES])
def test_a_tag_is_cut_between_letters(name):
    run = trainmon.init(project=name, hardware=0)
    assert not run.disabled
    (tag,) = run.store.run(run.id).tags
    assert 60 < len(tag.encode()) <= 64 or name == BYTES
    assert [found.id for found in run.store.runs(project=name)] == [run.id]
    assert tag == stores.project_tag(name)


def test_tensors_with_gradients_do_not_warn():
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        number = torch.tensor(2.0, requires_grad=True)
        assert values.to_number(number) == 2.0 and values.to_number(number * 2) == 4.0
        assert values.to_plain({"a": number}) == {"a": 2.0}
    assert number.requires_grad


def values_of(run, name):
    return [point["value"] for point in run.store.points(run.id, name)]


def complex_numbers():
    """One of each kind; a framework that is not installed has none."""
    yield complex(3, 4)
    with contextlib.suppress(ImportError):
        import numpy

        yield from (numpy.complex128(3 + 4j), numpy.complex64(3), numpy.clongdouble(3 + 4j), numpy.array(3 + 4j), numpy.array([3 + 4j]))
    with contextlib.suppress(ImportError):
        import torch

        yield torch.tensor(3 + 4j)


@pytest.mark.parametrize("value", complex_numbers(), ids=repr)
def test_a_complex_number_is_no_number(run, caplog, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy's, of an imaginary part that is lost
        run.log({"new": value})
        run.log({"new": value, "real": 1.0})
        run.log({"new": value, "real": 2.0})
        run.log_epoch(1, {"new": value})
    run.flush()
    assert run.store.metrics(run.id).keys() == {"real"}
    assert values_of(run, "real") == [1.0, 2.0]
    (told,) = caplog.records
    assert "new = " in told.message


def test_an_array_of_complex_numbers_is_left_out(run, caplog):
    numpy = pytest.importorskip("numpy")
    run.log_points("a", [1, 2], numpy.array([3 + 4j, 1]))
    run.flush()
    assert "a" not in run.store.metrics(run.id)
    assert "complex" in caplog.records[0].message


def test_real_numbers_of_numpy_are_numbers(run, caplog):
    numpy = pytest.importorskip("numpy")
    kinds = (numpy.float64, numpy.float32, numpy.float16, numpy.longdouble, numpy.int64, numpy.uint8, numpy.bool_)
    for kind in kinds * 2:
        run.log({"a": kind(1)})
        run.log({"a": kind(1), "b": 2.0})
    run.flush()
    assert values_of(run, "a") == [1.0] * 28 and not caplog.records


def test_pictures_of_any_range_and_type():
    numpy, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    pillow = pytest.importorskip("PIL.Image")
    import io

    def pixels(data):
        return numpy.asarray(pillow.open(io.BytesIO(trainmon.Image(data).data)))

    with numpy.errstate(all="raise"):
        assert not pixels(numpy.full((4, 4), -1.0)).any()
        assert list(pixels(numpy.array([[-1e308, 0.0, 1e308]])).ravel()) == [0, 128, 255]
    assert list(pixels(torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16, requires_grad=True)).ravel()) == [0, 255]


def test_a_run_that_is_over_is_freed_at_once():
    run = trainmon.init(hardware=0, config={"a": 1})
    run.log({"a": 1})
    run.summary["best"] = 1
    trainmon.finish()
    trainmon.current._live.discard(run)
    config, gone = run.config, weakref.ref(run)
    gc.collect()
    gc.disable()
    try:
        del run
        assert gone() is None
        config["a"] = 2  # of no run any more
    finally:
        gc.enable()


def test_times_that_no_date_can_say():
    assert stores.to_time(2**62) is None and stores.to_time(-2**62) is None
    assert stores.to_time(1).microsecond == 1


def wait_for(happened):
    end = time.monotonic() + 60
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)


def test_who_hears_of_alerts_may_change_at_any_time():
    run = trainmon.init(hardware=0, alert_rules=[{"name": "high", "type": "threshold", "metric": "a", "above": 0.5, "actions": ["callback"]}])
    heard = []
    run.on_alert(lambda alert: heard.append(("first", alert["step"])))
    listener = run._alert_handle
    run.log({"a": 1.0}, step=1)
    run.log({"a": 0.0}, step=2)
    run.flush()
    wait_for(lambda: len(heard) == 2)  # where the drainer was first to commit, its thread may still be on its way
    run.on_alert(None)
    run.log({"a": 1.0}, step=3)
    run.log({"a": 0.0}, step=4)
    run.flush()
    run.on_alert(lambda alert: heard.append(("second", alert["step"])))
    assert run._alert_handle is listener  # the library may be on its way to call the one before
    run.log({"a": 1.0}, step=5)
    run.flush()
    wait_for(lambda: ("second", 5) in heard)
    run.finish()
    assert heard[:2] == [("first", 1), ("first", 2)] and heard[-1] == ("second", 5)
    assert set(heard[2:-1]) <= {("second", 3), ("second", 4)}  # on its way while nobody heard, and there when somebody did again
