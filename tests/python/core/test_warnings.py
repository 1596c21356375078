# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a run can't take as it was said: one warning tells what was found and what is recorded, and no call raises."""

import pytest

import trainmon


@pytest.fixture
def run():
    return trainmon.init(hardware=0)


def told(caplog):
    """The one warning there was."""
    (record,) = caplog.records
    return record.message


def steps(run, name="a"):
    run.flush()
    return [point[0] for point in run.store.points(run.id, name).tolist()]


@pytest.mark.parametrize(("step", "kept"), [(1.5, 1), (-1.5, -1), (2**63, 2**63 - 1), (-(2**63) - 1, -(2**63))])
def test_a_step_that_is_no_integer_of_64_bits(run, caplog, step, kept):
    for _ in range(2):
        run.log({"a": 1.0}, step=step)
    assert steps(run) == [kept, kept]
    assert told(caplog).endswith(f"step is {step}, expected an integer of 64 bits: {kept} is recorded")


def test_whole_steps_of_other_types_are_no_trouble(run, caplog):
    numpy = pytest.importorskip("numpy")
    for step in (0, 1.0, numpy.int64(2), numpy.float32(3), True, "5", numpy.array(6)):
        run.log({"a": 1.0}, step=step, commit=False)
    assert steps(run) == [0, 1, 2, 3, 1, 5, 6] and not caplog.records


@pytest.mark.parametrize("call", [
    lambda run: run.log({"a": 1.0}, step="x"), lambda run: run.log({"a": 1.0}, step=float("nan")), lambda run: run.alert("title", step="x"),
    lambda run: run.event("mark", step=[])])
def test_a_step_that_is_none_is_named(run, caplog, call):
    call(run)
    call(run)
    assert "step is " in told(caplog) and "expected an integer" in told(caplog)


def test_none_is_no_number(run, caplog):
    for _ in range(2):
        run.log({"a": None, "b": 1.0})
    assert "a = None (NoneType) is no number: left out" in told(caplog)
    assert steps(run, "b") == [0, 1]


def test_the_row_of_an_epoch(run, caplog):
    run.log_epoch(1.7, {"mine": 1.0})
    assert "epoch is 1.7, expected an integer of 64 bits: 1 is recorded" in told(caplog)
    caplog.clear()
    run.log_epoch(2, {"mine": 2.0, "x": "abc"})
    assert "x = 'abc' (str) is no number: left out of the epoch's row" in told(caplog)
    caplog.clear()
    run.log_epoch(3, [1.0])
    assert "log_epoch takes a dict of names and values, found list" in told(caplog)
    caplog.clear()
    run.log_epoch("three", {"mine": 3.0})
    assert "epoch is 'three', expected an integer" in told(caplog)
    run.flush()
    assert [(row["epoch"], row["extra"]) for row in run.store.epochs(run.id)] == [(1, {"mine": 1.0}), (2, {"mine": 2.0})]


@pytest.mark.parametrize("said", [{"text": "x" * 10_001}, {"deep": {"text": "x" * 10_001}}, {"list": ["y", "x" * 10_001]}])
def test_a_long_text_of_the_settings_is_cut(caplog, said):
    whole = trainmon.init(hardware=0, config={"text": "x" * 10_000})
    assert whole.store.run(whole.id).config == {"text": "x" * 10_000} and not caplog.records
    run = trainmon.init(hardware=0, config=said)
    run.config["beside"] = 1
    name = {"text": "text", "deep": "deep/text", "list": "list"}[next(iter(said))]
    assert f"config['{name}'] is a text of more than 10,000 characters" in told(caplog)
    run.summary["text"] = "x" * 10_001
    assert "summary['text']" in caplog.records[1].message


def test_a_status_that_is_none(run, store, caplog):
    run.finish(status="complete")
    assert "status is 'complete', expected" in told(caplog) and "did you mean 'completed'?" in told(caplog)
    assert store.run(run.id).status in ("completed", "running")


def test_a_level_that_is_none(run, caplog):
    for level in ("INFO", "warn", "WARNING", "ERROR", "critical"):
        run.alert("title", level=level)
    assert not caplog.records
    run.alert("title", level="loud")
    run.alert("title", level="louder")
    assert "level of an alert is 'loud', expected" in told(caplog)
    assert sorted(alert["severity"] for alert in run.store.alerts(run.id)) == ["critical"] * 2 + ["info"] + ["warning"] * 4


@pytest.mark.parametrize("bad", [[1], 5, "cfg.yaml"])
def test_settings_that_are_none(run, caplog, bad):
    for settings in (run.config, run.summary):
        caplog.clear()
        settings.update(bad, beside=1)
        settings.update([1])
        assert settings.as_dict() == {"beside": 1}
        assert "the argument of update is" in told(caplog) and "expected a dict" in told(caplog)
    assert run.store.run(run.id).config == {"beside": 1}
