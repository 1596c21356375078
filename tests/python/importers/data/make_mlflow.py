# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Makes a tracking store with the real mlflow, and says what mlflow's own client reads in it. usage: make_mlflow.py URI EXPECTED.json [large];
see README.md."""

import json
import sys
import time
from pathlib import Path

import mlflow
from descent import descent
from mlflow import MlflowClient
from mlflow.entities import Metric


def make():
    mlflow.set_experiment("digits")
    with mlflow.start_run(run_name="first"):
        mlflow.log_params({"lr": 0.1, "depth": 3, "name": "mlp"})
        mlflow.set_tags({"team": "a", "kind": "x", "mlflow.note.content": "a note"})
        for i in range(30):
            mlflow.log_metric("train/loss", 1 / (i + 1), step=i)
            mlflow.log_metric("acc", i / 30, step=i)
        mlflow.log_metric("odd", float("nan"), step=0)
        mlflow.log_metric("big", float("inf"), step=1)
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("acc", 0.25)
    try:
        with mlflow.start_run(run_name="second"):
            mlflow.log_metric("acc", 0.5)
            mlflow.log_metric("acc", 0.6)
            raise RuntimeError("x")
    except RuntimeError:
        pass
    mlflow.start_run(run_name="killed")
    mlflow.log_metric("acc", 1.0, step=-5)
    mlflow.end_run("KILLED")
    gone = mlflow.start_run(run_name="gone")
    mlflow.end_run()
    mlflow.delete_run(gone.info.run_id)


def make_large():
    mlflow.set_experiment("digits")
    with mlflow.start_run(run_name="large") as run:
        mlflow.log_params({"lr": 0.05, "seed": 7})
        metrics = [Metric(name, value, round(time.time() * 1000), step) for step, row in enumerate(descent()) for name, value in row.items()]
        for at in range(0, len(metrics), 1000):
            MlflowClient().log_batch(run.info.run_id, metrics=metrics[at:at + 1000])


def read():
    client, found = MlflowClient(), {}
    for run in client.search_runs([client.get_experiment_by_name("digits").experiment_id]):
        points = {key: [[p.step, p.timestamp, repr(p.value)] for p in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics}
        found[run.info.run_id] = {"name": run.info.run_name, "status": run.info.status, "start": run.info.start_time, "end": run.info.end_time,
                                  "params": run.data.params, "points": points}
    return found


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    make_large() if sys.argv[3:] == ["large"] else make()
    Path(sys.argv[2]).write_text(json.dumps(read()))
