# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""One small class for each tracker that is measured: start, log a dict, finish, read back. What each does is its documented way of one process, offline."""

import csv
import glob
import os
import pathlib
import sqlite3


def environment(folder):
    """Gives the variables by which trackers stay on this machine and in a folder; they have to stand before the imports."""
    return {"TRACKIO_DIR": folder, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": folder,
            "WANDB_CONSOLE": "off", "WANDB_ERROR_REPORTING": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "DVC_NO_ANALYTICS": "1",
            "TRAINMON_DIR": folder}


class Tracker:
    """`folder` is empty and one's own; `log` is bound in `start`."""

    module = ""

    def __init__(self, folder):
        self.folder = folder

    def stored(self, name):
        """Counts the values of a metric that are in the files after `finish`; None where that is not known. Here: how often its name stands in them."""
        return sum(path.read_bytes().count(name.encode()) for path in pathlib.Path(self.folder).rglob("*") if path.is_file())

    def read(self, name):
        """Gives the values of a metric; None where the tracker has no way to read an offline run."""
        return None


class Trainmon(Tracker):
    module = "trainmon"

    def start(self):
        import trainmon

        self.run = trainmon.init(dir=self.folder, hardware=0)
        self.log = self.run.log
        self.finish = self.run.finish

    def stored(self, name):
        import trainmon

        return sum(bucket["count"] for bucket in trainmon.Store(self.folder).series(self.run.id, name, width=1000))

    def read(self, name):
        import trainmon

        return trainmon.Store(self.folder).series(self.run.id, name, width=1000).array()


class Floor(Tracker):
    """A row of plain SQLite for each value, a transaction each 10,000 rows: what one would write by hand."""

    module = "sqlite3"

    def start(self):
        self.base = sqlite3.connect(os.path.join(self.folder, "rows.db"), isolation_level=None)
        self.base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE rows(name, step, value); BEGIN")
        self.count = 0

    def log(self, data, step):
        self.base.executemany("INSERT INTO rows VALUES(?,?,?)", [(name, step, value) for name, value in data.items()])
        self.count += len(data)
        if self.count >= 10_000:
            self.base.execute("COMMIT")
            self.base.execute("BEGIN")
            self.count = 0

    def finish(self):
        self.base.execute("COMMIT")
        self.base.close()

    def stored(self, name):
        return sqlite3.connect(os.path.join(self.folder, "rows.db")).execute("SELECT count(*) FROM rows WHERE name = ?", (name,)).fetchone()[0]

    def read(self, name):
        base = sqlite3.connect(os.path.join(self.folder, "rows.db"))
        return base.execute("SELECT min(value), max(value), avg(value), count(*) FROM rows WHERE name = ? GROUP BY step / 1000", (name,)).fetchall()


class Torch(Tracker):
    module = "torch.utils.tensorboard"

    def make(self):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self.folder)

    def start(self):
        self.writer = self.make()
        add = self.writer.add_scalar

        def log(data, step):
            for name, value in data.items():
                add(name, value, step)

        self.log = log
        self.finish = self.writer.close

    def read(self, name):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(self.folder, size_guidance={"scalars": 1000})
        events.Reload()
        return events.Scalars(name)


class TensorboardX(Torch):
    module = "tensorboardX"

    def make(self):
        from tensorboardX import SummaryWriter

        return SummaryWriter(self.folder)


class CSVLogger(Tracker):
    module = "lightning.pytorch.loggers"

    def start(self):
        from lightning.pytorch.loggers import CSVLogger as Logger

        self.logger = Logger(self.folder, flush_logs_every_n_steps=1000)
        logger = self.logger

        def log(data, step):
            logger.log_metrics(data, step)
            if step % 1000 == 999:
                logger.save()

        self.log = log
        self.finish = lambda: logger.finalize("success")

    def stored(self, name):
        return len(self.read(name))

    def read(self, name):
        with open(glob.glob(f"{self.folder}/**/metrics.csv", recursive=True)[0]) as file:
            return [float(row[name]) for row in csv.DictReader(file) if row[name]]


class Wandb(Tracker):
    module = "wandb"

    def start(self):
        import wandb

        self.run = wandb.init(project="bench", mode="offline", dir=self.folder, settings=wandb.Settings(x_disable_stats=True, console="off"))
        run = self.run
        self.log = lambda data, step: run.log(data, step=step)
        self.finish = run.finish


class MLflow(Tracker):
    module = "mlflow"

    def start(self):
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self.folder}/mlflow.db")
        self.run = mlflow.start_run()
        self.log = lambda data, step: mlflow.log_metrics(data, step=step)
        self.finish = mlflow.end_run

    def stored(self, name):
        return sqlite3.connect(f"{self.folder}/mlflow.db").execute("SELECT count(*) FROM metrics WHERE key = ?", (name,)).fetchone()[0]

    def read(self, name):
        import mlflow

        return mlflow.MlflowClient().get_metric_history(self.run.info.run_id, name)


class Aim(Tracker):
    module = "aim"

    def start(self):
        from aim import Run

        self.run = Run(repo=self.folder, system_tracking_interval=None, capture_terminal_logs=False)
        track = self.run.track

        def log(data, step):
            for name, value in data.items():
                track(value, name=name, step=step)

        self.log = log
        self.finish = self.run.close

    def stored(self, name):
        return len(self.read(name))

    def read(self, name):
        from aim import Run

        run = Run(self.run.hash, repo=self.folder, system_tracking_interval=None, capture_terminal_logs=False)  # opened read-only it shows no metrics
        return next(metric.values.sparse_numpy()[1] for metric in run.metrics() if metric.name == name)


class Trackio(Tracker):
    module = "trackio"

    def start(self):
        import trackio

        trackio.init(project="bench", embed=False, auto_log_cpu=False, auto_log_gpu=False)
        self.log = lambda data, step: trackio.log(data, step=step)
        self.finish = trackio.finish

    def stored(self, name):
        return len(self.read(name))

    def read(self, name):
        base = sqlite3.connect(os.path.join(self.folder, "bench.db"))
        return base.execute("SELECT step, metrics FROM metrics WHERE CAST(metrics AS TEXT) LIKE ?", (f'%"{name}"%',)).fetchall()


class DVCLive(Tracker):
    module = "dvclive"

    def start(self):
        from dvclive import Live

        self.live = Live(dir=self.folder, save_dvc_exp=False, dvcyaml=None, report=None)
        live = self.live

        def log(data, step):
            live.step = step
            for name, value in data.items():
                live.log_metric(name, value)

        self.log = log
        self.finish = live.end

    def stored(self, name):
        return len(self.read(name))

    def read(self, name):
        with open(f"{self.folder}/plots/metrics/{name}.tsv") as file:
            return [float(row[name.split("/")[-1]]) for row in csv.DictReader(file, delimiter="\t")]


class SwanLab(Tracker):
    module = "swanlab"

    def start(self):
        import swanlab

        # Not "local": that mode is for its dashboard, and appends to a file of the metric 650 times a second while finish waits for all that was logged.
        swanlab.init(project="bench", mode="offline", log_dir=self.folder)
        self.log = lambda data, step: swanlab.log(data, step=step)
        self.finish = swanlab.finish


TRACKERS = {"trainmon": Trainmon, "sqlite rows": Floor, "torch SummaryWriter": Torch, "tensorboardX": TensorboardX, "CSVLogger": CSVLogger,
            "wandb offline": Wandb, "mlflow SQLite": MLflow, "aim": Aim, "trackio": Trackio, "dvclive": DVCLive, "swanlab": SwanLab}
