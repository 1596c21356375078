# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Makes wandb.tar.gz with the real wandb, and beside it what wandb's own code reads in it. usage: make_wandb.py [large], in an empty folder;
see README.md."""

import glob
import json
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import wandb
from descent import descent
from wandb.proto import wandb_internal_pb2 as proto

SETTINGS = {"console": "off", "x_disable_meta": True, "save_code": False, "disable_git": True, "x_stats_sampling_interval": 0.5}


def make_full():
    run = wandb.init(mode="offline", project="digits", name="first try", id="abc12345", tags=["small", "fixture"], notes="made for a test",
                     config={"lr": 0.1, "model": {"layers": [3, 4], "name": "mlp"}, "flag": True}, group="g1", job_type="train",
                     settings=wandb.Settings(**SETTINGS))
    for i in range(40):
        run.log({"train/loss": 1.0 / (i + 1), "acc": i / 40, "nested": {"a": i * 2, "b": {"c": float(i)}}})
    run.log({"odd": float("nan"), "inf": float("inf"), "text": "hello", "hist": wandb.Histogram([1, 2, 3])})
    run.log({"img": wandb.Image(np.arange(64, dtype=np.uint8).reshape(8, 8), caption="hi")}, step=50)
    time.sleep(1.2)  # the figures of the machine
    run.config.update({"late": 5})
    run.summary["best"] = 0.99
    run.alert("title", "text")
    run.finish()


def make_failed():
    """Big enough that a record goes over the end of a block."""
    run = wandb.init(mode="offline", project="digits", name="second", id="def67890", config={"lr": 0.2},
                     settings=wandb.Settings(**SETTINGS, x_disable_stats=True))
    for i in range(60):
        run.log({f"m{j}": float(i * j) for j in range(8)})
    run.finish(exit_code=3)


def make_large():
    run = wandb.init(mode="offline", project="descent", name="large", id="fed09876", config={"lr": 0.05, "sizes": {"train": 200, "val": 100}, "seed": 7},
                     settings=wandb.Settings(**SETTINGS, x_disable_stats=True))
    for row in descent():
        run.log(row)
    run.finish()


def read(path):
    """Reads the rows by wandb's own messages; the frames by hand, since wandb 0.31 has no reader in Python."""
    data, at, pieces, rows, config = Path(path).read_bytes(), 7, b"", [], {}
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack("<IHB", data[at:at + 7])
        pieces += data[at + 7:at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            record = proto.Record.FromString(pieces)
            pieces = b""
            if record.WhichOneof("record_type") == "history":
                rows.append([record.history.step.num, {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}])
            for update in [*record.run.config.update, *record.config.update]:
                config[update.key] = json.loads(update.value_json)
    return {"rows": rows, "config": config}


if __name__ == "__main__":
    os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    if sys.argv[1:] == ["large"]:
        make_large()
    else:
        make_full()
        make_failed()
    Path("wandb.json").write_text(json.dumps({os.path.basename(path): read(path) for path in glob.glob("wandb/*/*.wandb")}))
