# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Damaged files: whatever the bytes are, an importer imports a part, or raises TrainmonError with the name of the file. Seeded, so a failure comes again."""

import os
import random
import struct
import tracemalloc
import zlib

import pytest

import trainmon
from trainmon.errors import TrainmonError
from trainmon.importers import csv_file, mlflow, tensorboard, wandb
from trainmon.importers._protobuf import fields
from trainmon.importers._yaml import parse_yaml

VARINT_1 = b"\x09" + struct.pack("<d", 1.7e9) + b"\x10"


@pytest.fixture(autouse=True)
def _store_in_memory(_own_folder, memory, monkeypatch):
    """A thousand imports make many small commits."""
    monkeypatch.chdir(memory)


def event(step, tag, value):
    """An event with one scalar, as protobuf has it."""
    entry = b"\x0a" + bytes([len(tag)]) + tag + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(entry)]) + entry
    return VARINT_1 + bytes([step]) + b"\x2a" + bytes([len(summary)]) + summary


def frame(data):
    header = struct.pack("<Q", len(data))
    return header + struct.pack("<I", tensorboard.masked_crc(header)) + data + struct.pack("<I", tensorboard.masked_crc(data))


def wandb_frame(data):
    return struct.pack("<IHB", zlib.crc32(data, zlib.crc32(b"\x01")), len(data), 1) + data


def attempt(function, path, store):
    """Imports; True when a run was made. Any other exception than ours fails the test."""
    try:
        made = function(path, store, force=True)
    except TrainmonError as error:
        assert path.name in str(error)
        return False
    for id in made:
        store.delete(id)
    return bool(made)


def mutate(random, data):
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(data))
        kind = random.randrange(4)
        if kind == 0:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[place:place + random.randint(1, 8)]
        else:
            data[place:place] = random.randbytes(random.randint(1, 8))
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def test_the_checksum_is_that_of_the_standard():
    crc = tensorboard.masked_crc(b"123456789")
    unmasked = (crc - 0xA282EAD8) & 0xFFFFFFFF
    assert ((unmasked >> 17) | (unmasked << 15)) & 0xFFFFFFFF == 0xE3069283  # RFC 3720, check value of CRC-32C


def test_event_files_cut_at_every_byte(tmp_path):
    store = trainmon.Store("store")
    whole = b"".join(frame(event(step, b"loss", step / 2)) for step in range(4))
    size, path = len(whole) // 4, tmp_path / "events.out.tfevents.1"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        points = [end for _, end in tensorboard.records(str(path), lambda text: None)]
        assert len(points) == cut // size
        assert attempt(tensorboard.import_path, path, store) == (cut >= size)


def test_event_files_with_flips_never_raise_anything_else(tmp_path):
    rng, store, path = random.Random(1), trainmon.Store("store"), tmp_path / "events.out.tfevents.1"
    events = [event(step, b"loss", step / 2) for step in range(6)]
    hparams = b"\x4a\x18\x0a\x16\x0a\x07hparams\x12\x0b\x1a\x09\x0a\x07\x0a\x02lr\x12\x01\x00"
    tensor = b"\x0a\x01x\x42\x08\x08\x01\x12\x00\x2d" + struct.pack("<f", 1)
    events += [VARINT_1 + b"\x01\x2a" + bytes([len(part) + 2]) + b"\x0a" + bytes([len(part)]) + part for part in (hparams, tensor)]
    made = 0
    for turn in range(150):
        parts = [mutate(rng, part) if rng.random() < 0.5 else part for part in events]
        data = b"".join(map(frame, parts))  # right checksums: what is within is wrong
        path.write_bytes(mutate(rng, data) if turn % 3 == 0 else data)
        made += attempt(tensorboard.import_path, path, store)
    assert made > 50


@pytest.mark.parametrize("seed", range(4))
def test_messages_with_flips_are_value_errors(seed):
    """The readers of single messages, thousands of times, without a store."""
    rng, seen = random.Random(seed), 0

    class Collector:
        last_time = started = completed = 0
        status = "completed"

        def __init__(self):
            self.config, self.taken = {}, []

        def point(self, *said):
            self.taken.append(said)

        text = image = point

    events = [event(step, b"loss", step / 2) for step in range(3)]
    for _ in range(2500):
        collector = Collector()
        try:
            tensorboard._read_event(mutate(rng, rng.choice(events)), collector, {})
        except ValueError:
            seen += 1
        for name, step, time, value in collector.taken:
            assert isinstance(name, str) and -2**63 <= step < 2**63 and time >= 0 and isinstance(value, float)
    assert 100 < seen < 2500


def test_a_length_that_lies_costs_no_memory(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    for length in (2**63, 2**40, 60 << 20):
        header = struct.pack("<Q", length)
        path.write_bytes(header + struct.pack("<I", tensorboard.masked_crc(header)) + b"x" * 100)
        tracemalloc.start()
        assert not attempt(tensorboard.import_path, path, trainmon.Store("store"))
        assert tracemalloc.get_traced_memory()[1] < 5e6
        tracemalloc.stop()
    with pytest.raises(ValueError, match="longer than its message"):
        list(fields(b"\x0a\xff\xff\xff\xff\x0f"))


def test_wandb_files_cut_and_flipped(unpack, tmp_path):
    rng, store = random.Random(2), trainmon.Store("store")
    whole = next(path for path in unpack("wandb").rglob("run-abc12345.wandb")).read_bytes()
    path = tmp_path / "run-x.wandb"
    for cut in [*range(0, 9), *(rng.randrange(len(whole)) for _ in range(60))]:
        path.write_bytes(whole[:cut])
        attempt(wandb.import_path, path, store)
    parts = [data for data, _ in wandb.records(str(next(tmp_path.rglob("run-abc12345.wandb"))), lambda text: None)]
    made = 0
    for turn in range(60):
        some = [mutate(rng, part) if rng.random() < 0.3 else part for part in parts]
        data = whole[:7]
        for part in some:
            left = 32768 - len(data) % 32768
            if left < 7 + len(part):
                break
            data += wandb_frame(part)
        path.write_bytes(mutate(rng, data) if turn % 4 == 0 else data)
        made += attempt(wandb.import_path, path, store)
    assert made > 30


def test_wandb_files_cut_at_every_byte_give_whole_records_alone(unpack, tmp_path):
    whole = next(path for path in unpack("wandb").rglob("run-abc12345.wandb")).read_bytes()[:4000]
    path = tmp_path / "run-x.wandb"
    path.write_bytes(whole)
    every = list(wandb.records(str(path), lambda text: None))
    for cut in range(7, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(wandb.records(str(path), lambda text: None)) == [record for record in every if record[1] <= cut]


def test_databases_with_flips(unpack):
    rng, store = random.Random(3), trainmon.Store("store")
    path = unpack("mlflow") / "mlflow.db"
    whole = path.read_bytes()
    for turn in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 40)):
            data[rng.randrange(0 if turn % 2 else 100, len(data))] = rng.randrange(256)
        path.write_bytes(data[:rng.randrange(len(data))] if turn % 5 == 0 else data)
        attempt(mlflow.import_path, path, store)


def test_tables_and_settings_of_noise(tmp_path):
    rng, store = random.Random(4), trainmon.Store("store")
    path, text = tmp_path / "t.csv", b'step,time,"a, b",c\n1,2,3,4\n5,6,7,8\n9,1e400,"x""y",-inf\n'
    for turn in range(150):
        path = tmp_path / ("t.jsonl" if turn % 3 == 0 else "t.csv")
        path.write_bytes(mutate(rng, b'{"_step": 1, "a": {"b": 2}, "_timestamp": 1e9}\n' * 3 if turn % 3 == 0 else text))
        (tmp_path / "args.yaml").write_bytes(mutate(rng, b"epochs: 3\na:\n  b: [1, 2]\n  c:\n  - x\n  - y\n"))
        attempt(csv_file.import_path, path, store)
    for _ in range(3000):
        parse_yaml(mutate(rng, b"epochs: 3\na:\n  b: [1, 2]\n  c:\n  - x\n  'q': 'z'\n").decode("utf-8", "replace"))
    parse_yaml("\n".join(" " * i + "a:" for i in range(5000)))


def test_what_would_block_is_refused(tmp_path):
    os.mkfifo(tmp_path / "events.out.tfevents.1")
    with pytest.raises(TrainmonError, match="regular"):
        tensorboard.import_path(tmp_path, "store")
