# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Full series as arrays and frames, compared with what was logged."""

import math

import pytest

import trainmon
from trainmon.errors import NotFoundError

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
TIME = 1_700_000_000_000_000


@pytest.fixture
def ids():
    made = []
    for factor in (1, 10):
        with trainmon.init(hardware=0, reinit="create_new") as run:
            run.log_points("a", [0, 1, 2, 2, 5], [0.0, 1.0 * factor, 2.0, 3.0, math.inf], [TIME + i * 1000 for i in range(5)])
            run.log_points("b", [5, 1, -3], [50.0, 10.0, math.nan], [TIME + i * 2000 for i in range(3)])
            run.flush()
            made.append(run.id)
    return made


def test_a_row_a_step_with_the_last_of_several(ids, store):
    frame = store.dataframe(ids[0])
    assert list(frame.columns) == ["a", "b"] and frame.index.name == "step" and frame.index.tolist() == [-3, 0, 1, 2, 5]
    assert [str(value) for value in frame["a"]] == ["nan", "0.0", "1.0", "3.0", "inf"]
    assert [str(value) for value in frame["b"]] == ["nan", "nan", "10.0", "nan", "50.0"]


def test_a_row_a_time(ids, store):
    frame = store.dataframe(ids[0], axis="time")
    assert frame.index.name == "time" and str(frame.index.tz) == "UTC"
    assert [round(time.timestamp() * 1e6) - TIME for time in frame.index] == [0, 1000, 2000, 3000, 4000]
    assert frame["a"].tolist() == [0, 1, 2, 3, math.inf] and [str(value) for value in frame["b"]] == ["50.0", "nan", "10.0", "nan", "nan"]


def test_several_runs_have_two_levels(ids, store):
    frame = store.dataframe(ids, ["a"])
    assert frame.columns.names == ["run", "metric"] and frame.columns.tolist() == [(id, "a") for id in ids]
    assert frame.index.tolist() == [0, 1, 2, 5] and frame[ids[1]]["a"].tolist() == [0, 10, 3, math.inf]


def test_nothing_is_an_empty_frame(ids, store):
    assert store.dataframe(ids[0], []).empty and store.dataframe([]).empty
    with pytest.raises(NotFoundError, match="none such"):
        store.dataframe(ids, ["a", "none such"])
    with pytest.raises(ValueError, match="axis"):
        store.dataframe(ids[0], axis="epoch")


def test_a_million_points_come_back_exactly():
    steps, values = numpy.arange(1_000_000) * 3, numpy.random.default_rng(1).normal(size=1_000_000)
    with trainmon.init(hardware=0) as run:
        for begin in range(0, len(steps), 50_000):
            for name, factor in (("x", 1), ("y", 2)):
                run.log_points(name, steps[begin:begin + 50_000], values[begin:begin + 50_000] * factor)
                run.flush()  # the ring has room for twice as many, so nothing waits for a drainer on a slow disk
        points = run.store.points(run.id, "x")
        assert numpy.array_equal(points["step"], steps) and numpy.array_equal(points["value"], values)
        frame = run.store.dataframe(run.id)
        assert numpy.array_equal(frame.index, steps) and numpy.array_equal(frame["y"], values * 2)
        buckets = run.store.series(run.id, "x", width=1000).array()
        assert len(buckets) <= 1000 and buckets["count"].sum() == 1_000_000
        assert buckets["min"].min() == values.min() and buckets["max"].max() == values.max()
