# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Arguments of a store's methods that mean nothing, and answers that are the caller's."""

import pytest

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
