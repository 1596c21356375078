# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Event files that torch's writer made, value by value."""

import math
import time

import pytest

import trainmon
from trainmon.importers import SourceError, tensorboard

torch = pytest.importorskip("torch")
writers = pytest.importorskip("torch.utils.tensorboard")


def points(store, id, name):
    return [tuple(point) for point in store.points(id, name).tolist()]


def test_scalars_of_both_kinds_keep_steps_times_and_values(tmp_path):
    begin = 1_700_000_000.25
    with writers.SummaryWriter(tmp_path / "logs") as writer:
        for i in range(500):
            writer.add_scalar("train/loss", 1 / (i + 1), i * 10, walltime=begin + i)
            writer.add_scalar("tensor", i * 1.5, i, walltime=begin + i, new_style=True)
        writer.add_scalar("double", 1 / 3, 7, walltime=begin, new_style=True, double_precision=True)
        writer.add_scalar("odd", math.nan, -4, walltime=begin)
        writer.add_scalar("odd", -math.inf, 2**62, walltime=begin)
    store = trainmon.Store("store")
    told = []
    ids = tensorboard.import_path(tmp_path / "logs", store, progress=lambda *said: told.append(said))
    assert len(ids) == 1
    times = [round((begin + i) * 1e6) for i in range(500)]
    exact = [float(torch.tensor(1 / (i + 1), dtype=torch.float32)) for i in range(500)]
    assert points(store, ids[0], "train/loss") == [(i * 10, times[i], exact[i]) for i in range(500)]
    assert points(store, ids[0], "tensor") == [(i, times[i], i * 1.5) for i in range(500)]
    assert points(store, ids[0], "double") == [(7, times[0], 1 / 3)]
    steps, values = zip(*[(step, value) for step, _, value in points(store, ids[0], "odd")], strict=True)
    assert steps == (-4, 2**62) and math.isnan(values[0]) and values[1] == -math.inf
    record = store.run(ids[0])
    assert record.name == "logs" and record.status == "completed" and record.tags == ["imported", "from:tensorboard"]
    assert record.started_at.timestamp() == begin and record.completed_at.timestamp() == begin + 499
    assert told[-1][0] == told[-1][1] > 0


TYPES = [("half", 19, 0.333251953125), ("bfloat16", 14, 1.5), ("int64", 9, -5.0), ("bool", 10, 1.0), ("uint8", 4, 200.0)]


@pytest.mark.parametrize(("dtype", "kind", "value"), TYPES)
def test_tensors_of_other_types(tmp_path, dtype, kind, value):
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    tensor = TensorProto(dtype=kind)
    if dtype == "half":
        tensor.half_val.append(int(torch.tensor(value, dtype=torch.float16).view(torch.int16)))
    elif dtype == "int64":
        tensor.int64_val.append(int(value))
    else:
        tensor.tensor_content = torch.tensor([value]).to(getattr(torch, dtype)).view(torch.uint8).numpy().tobytes()
    with writers.SummaryWriter(tmp_path / "logs") as writer:
        writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="x", tensor=tensor)]), 1)
    store = trainmon.Store("store")
    [id] = tensorboard.import_path(tmp_path / "logs", store)
    assert [point[2] for point in points(store, id, "x")] == [value]


def test_folders_are_runs_and_files_of_one_folder_follow_each_other(tmp_path):
    for name, base in (("a", 0), ("a", 100), ("b/deep", 0)):
        with writers.SummaryWriter(tmp_path / "logs" / name, filename_suffix=f".{base}") as writer:
            for i in range(10):
                writer.add_scalar("x", base + i, base + i)
        time.sleep(1.1 if base == 0 and name == "a" else 0)  # the name of a file has its second
    store = trainmon.Store("store")
    ids = tensorboard.import_path(tmp_path / "logs", store)
    assert [store.run(id).name for id in ids] == ["a", "b/deep"]
    assert [point[2] for point in points(store, ids[0], "x")] == [*range(10), *range(100, 110)]


def test_pictures_texts_and_settings(tmp_path):
    with writers.SummaryWriter(tmp_path / "logs") as writer:
        writer.add_image("pic", torch.rand(3, 8, 9), 5)
        writer.add_text("note", "héllo <b>", 3)
        writer.add_hparams({"lr": 0.1, "opt": "sgd", "layers": 3}, {"hp/acc": 0.5}, run_name="trial")
    store = trainmon.Store("store")
    top, trial = tensorboard.import_path(tmp_path / "logs", store)
    picture = store.images(top)[0]
    assert (picture["name"], picture["step"], picture["width"], picture["height"]) == ("pic", 5, 9, 8)
    assert [(event["message"], event["step"]) for event in store.events(top) if event["kind"] == "text"] == [("note: héllo <b>", 3)]
    assert store.run(trial).name == "trial" and store.run(trial).config == {"lr": 0.1, "opt": "sgd", "layers": 3}
    assert [point[2] for point in points(store, trial, "hp/acc")] == [0.5]


def test_a_second_import_changes_nothing_and_a_grown_source_is_replaced(tmp_path, caplog):
    caplog.set_level("INFO", "trainmon")
    writer = writers.SummaryWriter(tmp_path / "logs")
    writer.add_scalar("x", 1, 1)
    writer.flush()
    store = trainmon.Store("store")
    [id] = tensorboard.import_path(tmp_path / "logs", store)
    before = store.events(id)
    assert tensorboard.import_path(tmp_path / "logs", store) == [] and "unchanged" in caplog.text
    assert store.events(id) == before
    assert tensorboard.import_path(tmp_path / "logs", store, force=True) == [id]
    writer.add_scalar("x", 2, 2)
    writer.close()
    assert tensorboard.import_path(tmp_path / "logs", store) == [id]
    assert [point[0] for point in points(store, id, "x")] == [1, 2] and len(store.runs()) == 1


def test_what_is_no_event_file_raises(tmp_path):
    with pytest.raises(SourceError, match="no event files"):
        tensorboard.import_path(tmp_path, "store")
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    with pytest.raises(SourceError, match="nothing in it"):
        tensorboard.import_path(tmp_path, "store")
    with pytest.raises(FileNotFoundError):
        tensorboard.import_path(tmp_path / "gone", "store")
    assert trainmon.Store("store").runs() == []
