# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The Loop that adapters share: values of a device, further trainings, settings."""

import argparse
import math
import warnings

import pytest
from ends import all_ended

import trainmon
from trainmon.loop import Loop
from trainmon.monitoring import create_monitoring_callback

torch = pytest.importorskip("torch")


class Far(torch.Tensor):
    """A tensor that says it lies on a GPU; what is computed of it does too."""

    @property
    def device(self):
        """Where it says it is."""
        return torch.device("cuda")

    @property
    def is_cpu(self):
        """As `device` says."""
        return False


def far(value, **options):
    """Gives one."""
    return torch.tensor(value, **options).as_subclass(Far)


def values(run, name):
    """Gives the values of a metric in order of arrival."""
    return [value for _, _, value in run.store.tail(run.id, name)]


def test_what_the_loop_changes_afterwards():
    loop = Loop(hardware=0, seconds=1000)
    loop.open()
    loop.due()
    total, near = far(0.0), torch.zeros(())
    for step in range(3):
        total += 1
        near += 1
        loop.log(step, {"far": total, "near": near, "view": torch.stack([total, total * 10]).unbind()[1]})
    assert list(loop.run.store.metrics(loop.run.id)) == ["near"]
    loop.close()
    assert values(loop.run, "far") == [1, 2, 3] == values(loop.run, "near")
    assert values(loop.run, "view") == [10, 20, 30]


def test_numbers_of_all_types_pictures_and_what_is_none():
    loop = Loop(hardware=0, seconds=1000)
    loop.open()
    loop.due()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.log(0, {"bf16": far(1.5, dtype=torch.bfloat16), "int": far([7]), "grad": far(2.0, requires_grad=True) * 2, "nan": far(float("nan")),
                     "bool": far(True), "complex": far(1j), "picture": trainmon.Image(b"GIF89a"), "host": torch.tensor(3.0, requires_grad=True)})
        loop.log(1, {"many": far([1.0, 2.0]), "int": far(8)})
        assert len(loop._pending) == 2 and "many" not in loop._pending[1][2]
        loop.read()
    assert [values(loop.run, name)[0] for name in ("bf16", "int", "grad", "bool", "host")] == [1.5, 7, 4, 1, 3]
    assert values(loop.run, "int") == [7, 8] and math.isnan(values(loop.run, "nan")[0])
    assert not {"complex", "many", "picture"} & set(loop.run.store.metrics(loop.run.id))


def test_a_run_that_records_nothing_keeps_nothing():
    loop = Loop(mode="disabled")
    loop.open()
    loop.log(0, {"a": far(1.0), "b": 1})
    assert not loop._pending
    loop.close()


def test_settings_as_init_takes_them(store):
    callback = create_monitoring_callback("basic", config=argparse.Namespace(lr=1), hardware=0)
    callback.on_train_begin(config={"epochs": 2})
    callback.on_train_end()
    assert store.runs()[0].config == {"lr": 1, "epochs": 2}


def test_another_training_with_the_same_callback(store):
    callback = create_monitoring_callback("basic")
    callback.on_train_begin()
    first = callback.run
    first.request("stop")
    assert callback.on_batch_end({"a": 1.0})
    callback.on_train_end()
    callback.on_train_begin()
    assert callback.run is not first
    assert not callback.on_batch_end({"a": 2.0})
    callback.on_train_end()
    assert [(record.status, record.id == first.id) for record in all_ended(store)] == [("completed", False), ("cancelled", True)]
    assert store.tail(callback.run.id, "a")[0][0] == 0
    with trainmon.init(hardware=0) as script:
        callback.on_train_begin()
        assert callback.run is script
        callback.on_train_end()
        assert not script.finished
