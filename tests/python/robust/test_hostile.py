# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Whatever is handed to a run: no call raises, none crashes, and good values beside bad ones are kept."""

import contextlib
import decimal
import fractions
import json
import logging
import os
import random
import sqlite3
import time

import numpy
import pytest
import script
from ends import ended

import trainmon
from trainmon import values as conversion

CALLS = 200_000 if os.environ.get("LONG") == "1" else 20_000


class Raises:
    def __float__(self):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class Logs:
    """Logs again while it is being logged."""

    def __float__(self):
        trainmon.log({"again": self})
        return 1.0


class Sleeps:
    def __float__(self):
        time.sleep(0.0001)
        return 2.0


class LooksLikeATensor:
    device = "cuda"

    def item(self):
        raise MemoryError("out of memory on a device")

    def detach(self):
        raise RuntimeError("gone")


def recursive():
    inner = {"x": 1}
    inner["self"] = inner
    inner["list"] = [inner, inner]
    return inner


def wide():
    """2^30 leaves in 30 objects."""
    level = {"x": 1}
    for _ in range(30):
        level = {"a": level, "b": level}
    return level


VALUES = [
    0, 1, -1, True, 10**30, -(10**400), 2**63, -(2**63) - 1, 2**64 - 1, 0.5, 1e308, 5e-324, -0.0, float("nan"), float("inf"), -float("inf"), None, "", "text",
    "\ud800", "a\0b", "1.5", b"bytes", bytearray(b"1"), b"\xff\xfe", 1j, decimal.Decimal("sNaN"), decimal.Decimal("1e999999"), decimal.Decimal("0.1"),
    fractions.Fraction(1, 3), [], [1, 2], (), {}, set(), {1, 2}, recursive(), object(), type, len, Raises(), Sleeps(), LooksLikeATensor(), range(5),
    iter([1]), NotImplemented, ...,
    numpy.float32("nan"), numpy.array([]), numpy.array([[7.0]]), numpy.zeros((3, 3)), numpy.ma.masked, numpy.array(Raises(), dtype=object),
    numpy.datetime64("2020"),
    *(numpy.zeros(1, dtype)[0] for dtype in "?bBhHiIlLqQefdgFDGSUVOMm"),
    *(numpy.zeros(shape, dtype) for dtype in "?bdgDSUVOMm" for shape in ((), (1,), (2,), (0,))),
]
NAMES = ["a", "b/c", "", " ", "x" * 250, "x" * 300, "é" * 200, "\ud800", "a\0b", "a\nb", "\x7f", "\u202e", "😀", "../../etc/passwd",
         "'; DROP TABLE metrics; --", 7, 1.5,
         None, ("a", 1), b"bytes", True, float("nan"), Raises]
STEPS = [None, None, None, 0, 7, -5, 2**63 - 1, 2**63, -(2**63), 10**40, 1.5, float("nan"), float("inf"), "3", "x", [], numpy.int64(3),
         numpy.uint8(255), numpy.float32(2), Raises(), True]


def random_calls(run, draw, count):
    """Yields calls of everything that a run has, with arguments drawn from the lists above."""
    def value():
        return draw.choice(VALUES)

    def name():
        return draw.choice(NAMES) if draw.random() < 0.7 else f"name/{draw.randrange(20_000)}"

    def data():
        return draw.choice(VALUES) if draw.random() < 0.1 else {name(): value() for _ in range(draw.randrange(5))}

    rare = [
        lambda: run.log_epoch(draw.choice(STEPS), data()),
        lambda: run.progress(epoch=value(), epochs=value(), batch=value(), fraction=value()),
        lambda: run.log_points(name(), value(), value(), value()), lambda: run.define_metric(name(), draw.choice(NAMES), goal=value()),
        lambda: run.alert(value(), value(), value(), value(), draw.choice(STEPS)), lambda: run.event(name(), value(), data(), draw.choice(STEPS)),
        lambda: run.update(notes=value(), tags=value(), epochs=value()), lambda: run.update(unknown=1), lambda: run.config.update({name(): value()}),
        lambda: run.summary.update({name(): value()}), lambda: run.log_image(name(), value(), step=draw.choice(STEPS)),
        lambda: run.log_validation(value(), data()),
        lambda: run.log_validation(1, {name(): data()}), lambda: run.log_confusion(value(), value(), epoch=value(), groups=value()),
        lambda: run.log_confusion([[1, 2], [3, 4]], [value(), value()]), lambda: run.log_benchmark(model_name=value(), avg_inference_ms=value()),
        lambda: run.log_dataset(name=value()), lambda: run.log_trial(experiment_name=value(), trial=value(), parameters=data()), lambda: run.should_stop,
    ]
    for _ in range(count):
        if draw.random() < 0.01:
            yield draw.choice(rare)
        else:
            numbers, step, commit = data(), draw.choice(STEPS), draw.random() < 0.9
            yield lambda numbers=numbers, step=step, commit=commit: run.log(numbers, step, commit)


def test_random_calls(caplog, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", True)
    run = trainmon.init(mode="online", hardware=0)
    for call in random_calls(run, random.Random(5), CALLS):
        call()
    run.log({"sane": 1.5, "bad": Raises(), "worse": "x"}, step=3)
    run.flush()
    assert run.dropped == 0
    run.finish()
    assert len(caplog.records) < 300
    store = trainmon.Store("trainmon")
    assert script.points("sane", run.id, store) == [(3, 1.5)]
    assert ended(store, run.id).status == "completed"
    for name in store.metrics(run.id):
        store.points(run.id, name)
    with contextlib.closing(sqlite3.connect("trainmon/trainmon.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_value_that_logs_itself():
    code, _, err = script.train("""
        import trainmon
        class Logs:
            def __float__(self):
                run.log({"again": self})
                return 1.0
        run = trainmon.init()
        for _ in range(20):
            run.log({"a": 1, "b": Logs()})
        run.log({"sane": 2})
    """)
    assert code == 0, err
    assert len(script.points("sane")) == 1 and script.record().status == "completed"


def test_twenty_thousand_names(caplog):
    """The ring has room for some 10,000; those beyond are told once and cost nothing else."""
    run = trainmon.init(hardware=0)
    for number in range(20_000):
        run.log({f"layer/{number:035}": number, "loss": number})
    assert len(caplog.records) == 1 and "no room" in caplog.text
    run.finish()
    store = trainmon.Store("trainmon")
    assert script.points("loss", run.id, store) == [(number, number) for number in range(20_000)]
    assert 8_000 < len(store.metrics(run.id)) < 20_000


def test_the_last_step_of_all():
    run = trainmon.init()
    run.log({"a": 1}, step=2**63 - 1)
    run.log({"a": 2})
    run.log({"a": 3}, step=numpy.uint8(255))
    run.log({"a": 4})
    run.finish()
    assert script.points("a") == [(2**63 - 1, 1), (2**63 - 1, 2), (255, 3), (256, 4)]


def test_names_of_nested_and_flat_values():
    """One set of keys, once nested and once flat, is two sets of names."""
    run = trainmon.init()
    run.log({"a": {"b": 1}})
    run.log({"a": 5})
    run.log({"a": {"b": 1, "c": 2}, "d": None})
    run.log({"a": 6, "d": 7})
    run.finish()
    assert [script.points(name) for name in ("a", "a/b", "a/c", "d")] == [[(1, 5), (3, 6)], [(0, 1), (2, 1)], [(2, 2)], [(3, 7)]]


@pytest.mark.parametrize("value", VALUES, ids=[type(value).__name__ for value in VALUES])
def test_settings_are_always_json(value):
    text = conversion.to_json({"value": value, "beside": 1})
    assert json.loads(text, parse_constant=pytest.fail)["beside"] == 1


def test_settings_that_are_too_wide_or_within_themselves():
    begin = time.monotonic()
    assert len(conversion.to_json(wide())) < 10_000_000
    assert json.loads(conversion.to_json(recursive())) == {"x": 1, "self": "...", "list": ["...", "..."]}
    assert time.monotonic() - begin < 60  # all of it would take an hour


def test_odd_texts_reach_the_store():
    config = {"a\0": "\ud800", "nan": float("nan"), "big": 2**64}
    run = trainmon.init(name="\ud800 name", notes="\udfff\0", tags="one", config=config, group="é" * 60, project="p" * 100)
    run.config["path"] = b"\xff".decode("utf-8", "surrogateescape")
    run.finish()
    record = script.record()
    assert (record.name, record.notes) == ("? name", "?\ufffd")
    assert record.config == {"a\ufffd": "?", "nan": "nan", "big": "18446744073709551616", "path": "?"}
    assert record.tags == ["project:" + "p" * 56, "group:" + "é" * 29, "one"]


def test_a_logger_that_fails(monkeypatch):
    """A handler of the script may raise, or log to the run."""
    run = trainmon.init()

    class Handler(logging.Handler):
        def emit(self, record):
            run.log({"warnings": object()})
            run.alert("warned")
            run.config["warned"] = True

    handler = Handler()
    logging.getLogger("trainmon").addHandler(handler)
    try:
        run.log({"a": "x", "b": 1})
    finally:
        logging.getLogger("trainmon").removeHandler(handler)
    run.finish()
    assert script.points("b") == [(0, 1)] and script.record().config == {"warned": True}
