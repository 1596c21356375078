# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What users get wrong when they make a callback of Keras or transformers: both check alike."""

import importlib

import pytest

from trainmon.monitoring import create_monitoring_callback


@pytest.fixture(params=["keras", "transformers"])
def make(request):
    """The callback of a framework."""
    return importlib.import_module(f"trainmon.{request.param}").TrainMonCallback


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"run": "myproj"}, TypeError, r"run is 'myproj' \(str\), expected a trainmon.Run; did you mean project='myproj'\?"),
    ({"critical": {"a": 99}}, ValueError, r"critical\['a'\] is 99"),
    ({"seconds": -1}, ValueError, "seconds is -1"),
    ({"hardware": -1}, ValueError, "hardware is -1"),
])
def test_a_wrong_argument_is_refused_at_once(make, options, error, text):
    with pytest.raises(error, match=text):
        make(**options)


def test_an_unknown_argument_is_told_and_left_out(make, caplog):
    make(critical={"a": 0.9}, groups={"a": "b"}, name="n", hardware=0)
    assert not caplog.messages
    callback = make(projects="p")
    assert caplog.messages == ["TrainMonCallback: unknown argument 'projects' (did you mean 'project'?); left out"]
    assert not callback._loop._init


@pytest.mark.parametrize("kind", ["keras", "transformers"])
def test_an_unknown_argument_is_told_once_by_the_function_for_all(kind, caplog):
    create_monitoring_callback(kind, critical_treshold={"a": 0.9}, groups={"a": "b"}, name="n")
    assert caplog.messages == ["create_monitoring_callback: unknown argument 'critical_treshold' (did you mean 'critical_thresholds'?); left out"]
