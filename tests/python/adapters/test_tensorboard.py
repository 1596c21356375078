# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The SummaryWriter beside that of torch: the same calls, and what the event files say compared with the store."""

import glob
import io
import logging
import os
import subprocess
import sys

import numpy
import pytest
from ends import ended

import trainmon
from trainmon.tensorboard import SummaryWriter

torch = pytest.importorskip("torch")
board = pytest.importorskip("torch.utils.tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402


def _events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0})
    accumulator.Reload()
    return accumulator


def _train(writer):
    """A few steps of a real training, told to a writer as scripts do."""
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(32, 4), torch.randint(0, 3, (32,))
    total = torch.zeros(())
    for step in range(20):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()  # in place: a value read late would be another
        writer.add_scalar("train/loss", loss, step)
        writer.add_scalar("train/total", total, step)
        writer.add_scalar("numpy", numpy.float32(step / 7), step, walltime=1_700_000_000.25 + step)
        writer.add_scalar("array", numpy.array([step / 3]), step)
        writer.add_scalars("pair", {"one": step, "two": -step}, step)
        writer.add_histogram("weights", model.weight, step)
    writer.add_scalar("after", float("nan"), 3)
    writer.add_scalar("big", 2**40 + 1, 2**40)


def test_scalars_are_those_of_the_event_files(store, points):
    theirs = board.SummaryWriter("theirs")
    _train(theirs)
    theirs.close()
    with SummaryWriter("ours") as ours:
        _train(ours)
    id = ours.run.id
    events = _events("theirs")
    for tag in events.Tags()["scalars"]:
        expected = [(event.step, event.value) for event in events.Scalars(tag)]
        assert numpy.array(points(id, tag)) == pytest.approx(numpy.array(expected), rel=1e-6, nan_ok=True), tag
    for name in ("one", "two"):
        expected = [(event.step, event.value) for event in _events(f"theirs/pair_{name}").Scalars("pair")]
        assert points(id, f"pair/{name}") == expected
    assert len(events.Tags()["scalars"]) == 6
    times = [int(point["time"]) for point in store.points(id, "numpy")]
    assert times == [int((1_700_000_000.25 + step) * 1e6) for step in range(20)]
    histograms = events.Histograms("weights")
    assert [value for _, value in points(id, "weights/min")] == pytest.approx([event.histogram_value.min for event in histograms])
    assert [value for _, value in points(id, "weights/max")] == pytest.approx([event.histogram_value.max for event in histograms])
    assert [value for _, value in points(id, "weights/mean")] == pytest.approx([event.histogram_value.sum / 12 for event in histograms])
    record = ended(store, id)
    assert record.status == "completed" and record.name == "ours" and record.config == {"log_dir": "ours"}


def test_pictures_are_those_of_the_event_files(store):
    from PIL import Image

    generator = numpy.random.default_rng(1)
    pixels = generator.random((3, 12, 10), dtype="float32") * 1.2 - 0.1
    batch = generator.integers(0, 255, (11, 3, 8, 6), dtype="uint8")
    ours, theirs = SummaryWriter("ours"), board.SummaryWriter("theirs")
    for writer in (ours, theirs):
        writer.add_image("chw", torch.from_numpy(pixels), 1)
        writer.add_image("hwc", pixels.transpose(1, 2, 0), 1, dataformats="HWC")
        writer.add_image("grey", pixels[0], 1, dataformats="HW")
        writer.add_images("batch", batch, 1)
    theirs.close()
    ours.flush()
    events = _events("theirs")
    for tag in ("chw", "hwc", "grey", "batch"):
        expected = numpy.asarray(Image.open(io.BytesIO(events.Images(tag)[0].encoded_image_string)).convert("RGB"))
        kept = store.images(ours.run.id, tag)[0]
        assert numpy.array_equal(numpy.asarray(Image.open(io.BytesIO(store.image(kept["hash"]))).convert("RGB")), expected), tag
        assert kept["step"] == 1
    ours.close()


def test_boxes_figures_texts_and_settings(store, points):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = pyplot.figure()
    with SummaryWriter("w", comment="x") as writer:
        writer.add_image_with_boxes("boxes", numpy.zeros((3, 20, 30), "uint8"), torch.tensor([[1.0, 2.0, 11.0, 8.0]]), 4, labels=["cat"])
        writer.add_figure("figure", figure, 5)
        writer.add_text("note", "all is well", 6)
        writer.add_hparams({"lr": 0.1, "name": "a", "flag": True}, {"hparam/accuracy": 0.75}, run_name="first")
        writer.flush()
        assert not pyplot.fignum_exists(figure.number)
        image = store.images(writer.run.id, "boxes")[0]
        assert [(box["x"], box["y"], box["width"], box["height"], box["label"]) for box in image["boxes"]] == [(1, 2, 10, 6, "cat")]
        assert store.images(writer.run.id, "figure")[0]["step"] == 5
    id = writer.run.id
    assert [(event["message"], event["data"], event["step"]) for event in store.events(id) if event["kind"] == "text"] == [("all is well", {"tag": "note"}, 6)]
    assert store.run(id).config == {"log_dir": "w", "lr": 0.1, "name": "a", "flag": True}
    assert points(id, "hparam/accuracy") == [(6, 0.75)]
    trial = store.results("hyperparameter_runs", id)[0]
    assert (trial["parameters"], trial["objective"], trial["objective_value"]) == ({"lr": 0.1, "name": "a", "flag": True}, "hparam/accuracy", 0.75)


def test_curves(points):
    from sklearn.metrics import average_precision_score, precision_score, recall_score

    generator = numpy.random.default_rng(2)
    labels = generator.integers(0, 2, 300)
    scores = numpy.round(numpy.clip(labels * 0.3 + generator.random(300) * 0.7, 0, 1), 2)  # rounded, so that some are equal
    weights = generator.random(300)
    theirs = board.SummaryWriter("theirs")
    with SummaryWriter("ours") as writer:
        for one in (writer, theirs):
            one.add_pr_curve("curve", labels, scores, 1)
        writer.add_pr_curve("weighted", torch.from_numpy(labels), torch.from_numpy(scores), 1, weights=weights)
        writer.add_pr_curve_raw("raw", [], [], [], [], [0.5, 1.0, 1.0], [1.0, 0.5, 0.0], 1)
        values = generator.normal(size=20_000)
        counts, ends = numpy.histogram(values, bins=400)
        writer.add_histogram_raw("bins", values.min(), values.max(), values.size, values.sum(), values.dot(values), ends[1:], counts, 1)
    theirs.close()
    id = writer.run.id
    (_, found), = points(id, "curve/average_precision")
    assert found == pytest.approx(average_precision_score(labels, scores))
    assert points(id, "weighted/average_precision")[0][1] == pytest.approx(average_precision_score(labels, scores, sample_weight=weights))
    assert points(id, "curve/precision")[0][1] == pytest.approx(precision_score(labels, scores >= 0.5))
    assert points(id, "curve/recall")[0][1] == pytest.approx(recall_score(labels, scores >= 0.5))
    assert points(id, "raw/average_precision")[0][1] == pytest.approx(0.75)
    assert points(id, "bins/p50")[0][1] == pytest.approx(numpy.median(values), abs=0.02)
    assert points(id, "bins/p95")[0][1] == pytest.approx(numpy.quantile(values, 0.95), abs=0.02)
    assert points(id, "bins/std")[0][1] == pytest.approx(values.std())


def test_missing_steps_are_counted_for_each_tag(points):
    with SummaryWriter("w") as writer:
        for value in (5, 6, 7):
            writer.add_scalar("a", value)
        writer.add_scalar("b", 1)
    assert points(writer.run.id, "a") == [(0, 5), (1, 6), (2, 7)]
    assert points(writer.run.id, "b") == [(0, 1)]


def test_writes_after_close(store, shown):
    writer = SummaryWriter("w")
    for step in range(5):
        writer.add_scalar("a", step, step)
    writer.close()
    writer.close()
    id = writer.run.id
    assert ended(store, id).status == "completed"
    writer.add_hparams({"lr": 1}, {"final": 2})
    writer.add_scalar("a", 9, 9)
    assert writer.run.id == id and store.run(id).status == "running"
    writer.close()
    assert shown(id, "a") == [*((step, step) for step in range(5)), (9, 9)]
    writer.add_scalar("a", 3, 3)  # in the same run it would hide what was logged from step 3 on
    writer.close()
    assert writer.run.id != id and store.run(writer.run.id).parent_id == id
    assert len(shown(id, "a")) == 6 and shown(writer.run.id, "a") == [(3, 3)]
    assert [ended(store, id).status for id in (id, writer.run.id)] == ["completed", "completed"]


def test_purge_step_continues_the_run_of_the_folder(store, shown):
    with SummaryWriter("w") as first:
        for step in range(10):
            first.add_scalar("a", step, step)
    with SummaryWriter("w", purge_step=6) as second:
        for step in range(6, 8):
            second.add_scalar("a", -step, step)
    assert second.run.id == first.run.id
    assert shown(first.run.id, "a") == [*((step, step) for step in range(6)), (6, -6), (7, -7)]
    assert len(store.points(first.run.id, "a")) == 12  # nothing is lost
    with SummaryWriter("w") as third:
        pass
    assert third.run.id != first.run.id


def test_two_writers_and_the_run_of_the_script(points):
    script = trainmon.init(name="script")
    train, val = SummaryWriter("runs/train"), SummaryWriter("runs/val")
    for writer, value in ((train, 1), (val, 2)):
        writer.add_scalar("loss", value, 0)
    trainmon.log({"x": 3}, 0)
    given = SummaryWriter("elsewhere", run=script)
    given.add_scalar("y", 4, 0)
    for writer in (train, val, given):
        writer.close()
    assert not script.finished
    script.flush()
    assert (points(train.run.id, "loss"), points(val.run.id, "loss")) == ([(0, 1)], [(0, 2)])
    assert (points(script.id, "x"), points(script.id, "y")) == ([(0, 3)], [(0, 4)])


def test_an_exception_fails_the_run_and_goes_on(store):
    with pytest.raises(ZeroDivisionError), SummaryWriter("w") as writer:
        writer.add_scalar("a", 1, 1)
        writer.add_scalar("a", 1 / 0, 2)
    record = ended(store, writer.run.id)
    assert (record.status, record.error_text) == ("failed", "ZeroDivisionError: division by zero")


def test_bad_values_warn_once_and_never_raise(points, caplog):
    caplog.set_level(logging.WARNING, "trainmon")
    with SummaryWriter("w") as writer:
        for _ in range(3):
            writer.add_scalar("text", "word", 0)
            writer.add_histogram("empty", [], 0)
            writer.add_image("flat", numpy.zeros(5), 0)
            writer.add_hparams([1], None)
            writer.add_graph(None)
            writer.add_video("v", torch.zeros(1, 2, 3, 4, 4), 0, fps=2)
        writer.add_scalar("good", 1, 0)
    assert points(writer.run.id, "good") == [(0, 1)]
    assert len(caplog.records) == 6, [record.getMessage() for record in caplog.records]


def test_a_disabled_writer_takes_all(tmp_path):
    with SummaryWriter("w", mode="disabled") as writer:
        _train(writer)
        writer.add_image("a", numpy.zeros((3, 4, 4), "uint8"))
        writer.add_hparams({"a": 1}, {"b": 2})
        writer.add_graph(None)
    writer.add_scalar("a", 1, 1)
    assert writer.run.disabled and not (tmp_path / "trainmon").exists()


def test_what_reaches_behind_the_writer_is_told():
    with SummaryWriter() as writer:
        for reach in (lambda: writer.file_writer, writer._get_file_writer, lambda: writer.all_writers):
            with pytest.raises(trainmon.StateError, match="no event file"):
                reach()
        assert writer.get_logdir() == writer.log_dir and glob.glob("runs/*") == [writer.log_dir]
        with pytest.raises(AttributeError):
            writer.add_nothing()


def test_every_public_method_of_torch_is_there():
    names = {name for name in dir(board.SummaryWriter) if name.startswith(("add_", "get_")) or name in ("flush", "close")}
    with SummaryWriter("w") as writer:
        assert not [name for name in names if not callable(getattr(writer, name))]


def test_import_needs_neither_torch_nor_tensorboard():
    code = "from trainmon.tensorboard import SummaryWriter\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}))"
    where = {"PYTHONPATH": os.path.dirname(os.path.dirname(trainmon.__file__))}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **where})
    assert not {"torch", "tensorboard", "numpy", "PIL"} & set(out.stdout.split())
