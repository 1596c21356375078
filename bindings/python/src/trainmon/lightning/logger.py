# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The logger: what the module logs and the Trainer hands to its loggers."""

from __future__ import annotations

import os
import sys

from trainmon import current
from trainmon import values as conversion
from trainmon._config import to_dict
from trainmon.checks import only_known
from trainmon.disabled import DisabledRun
from trainmon.lightning import session as sessions
from trainmon.lightning.bases import Based
from trainmon.loop import guarded
from trainmon.store import default_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

OWN_LOSS = "train/loss"


class TrainMonLogger(Based):
    """A Lightning logger that records to a run; see `trainmon.lightning`. Values come as the module logs them, at the steps that Lightning gives them."""

    room, base = "loggers", "Logger"

    def __init__(self, run: Any = None, *, project: str | None = None, name: str | None = None, version: int | str | None = None, prefix: str = "",
                 **init: Any) -> None:
        """`run`: one that is open already; else the one of `trainmon.init`, else a new one, made when Lightning first needs it.

        `project`, `name` and further arguments go to `trainmon.init`. `version` names the folder of checkpoints, by default after the run. `prefix` stands
        before each name, with "/". One that is unknown is told by a warning and left out; what only `trainmon.init` refuses is a warning when the run opens.
        TypeError or ValueError: `run` is none, or `hardware` no number of seconds.
        """
        super().__init__()
        init = only_known("TrainMonLogger", init, TrainMonLogger.__init__, current.init)
        self.session = sessions.Session(run, **{key: value for key, value in {"project": project, "name": name, **init}.items() if value is not None})
        self._name, self._version, self._project = name, version, project
        self._prefix = f"{prefix}/" if prefix else ""
        self._dir = init.get("dir")
        self.has_loss = False

    # What Lightning asks for

    @property
    def name(self) -> str:
        """The name of the run, else of the project; part of the path of checkpoints."""
        return _as_folder(self._name or self._project or "run")

    @property
    def version(self) -> int | str | None:
        """What tells runs of a name apart: the caller's version, else the first eight characters of the run's id; None before there is a run,
        and "resumed" where the callback's `resume` finds the run after the paths are made."""
        if self._version is not None:
            return self._version
        return "resumed" if self.session.deferred else (self.session.id or "")[:8] or None

    @property
    def save_dir(self) -> str:
        """The folder that checkpoints go to: `lightning` in the store."""
        return os.path.join(os.fspath(self._dir or default_folder()), "lightning")

    @property
    def root_dir(self) -> str:
        """The folder of all versions."""
        return os.path.join(self.save_dir, self.name)

    @property
    def log_dir(self) -> str:
        """The folder of this version."""
        version = self.version
        return os.path.join(self.root_dir, version if isinstance(version, str) else f"version_{version}")

    @property
    def experiment(self) -> Any:
        """The trainmon.Run, opened at the first use; on other ranks than 0 one that records nothing."""
        return self._open() or DisabledRun()

    @guarded
    def _open(self) -> Any:
        session = self.session
        if session.live:
            return session.loop.run
        if sessions.rank() != 0:
            return None
        if session.id is None:
            session = self.session = sessions.take_waiting(session)
        if session.deferred:
            return None
        return session.open()

    @guarded
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs numbers by name at a step; not those of an evaluation that was cut, which stand for a part of the data."""
        if sessions.rank() != 0 or self.session.cut:
            return
        run = self.session.loop.run if self.session.live else self.experiment
        if OWN_LOSS in metrics:
            self.has_loss = True
        if self._prefix:
            metrics = {f"{self._prefix}{name}": value for name, value in metrics.items()}
        run.log(metrics, step)

    @guarded
    def log_hyperparams(self, params: Any = None, *_arguments: Any, **_options: Any) -> None:
        """Adds settings, a dict or a Namespace, to the config of the run."""
        if sessions.rank() == 0 and params is not None:
            self.experiment.config.update(conversion.to_plain(to_dict(params)))

    @guarded
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Keeps the number of parameters; the graph itself is not kept."""
        if sessions.rank() == 0:
            parameters = list(model.parameters())
            self.experiment.config.update({"parameters": sum(each.numel() for each in parameters),
                                           "parameters_trained": sum(each.numel() for each in parameters if each.requires_grad)})

    @guarded
    def log_image(self, key: str, images: Sequence[Any], step: int | None = None, caption: Sequence[str] | None = None, **fields: Any) -> None:
        """Shows pictures in the stream `key`; see trainmon.Image for what one may be. `caption`: one a picture."""
        if sessions.rank() != 0:
            return
        for place, image in enumerate(images):
            more = {**fields, "caption": caption[place]} if caption is not None and place < len(caption) else fields
            self.experiment.log_image(self._prefix + key, image, step=step, **more)

    def save(self) -> None:
        """Does nothing: what is logged is safe already."""

    @guarded
    def finalize(self, status: str) -> None:
        """Ends the run if it was opened here: completed, or failed with what is raised. The next training or test goes on with it."""
        if self.session.loop.run is not None and status == "failed":
            self.session.close(sys.exc_info()[1], status="failed")  # Lightning calls from within its handler, and gives loggers no exception
        elif self.session.loop.run is not None:
            self.session.close()

    @guarded
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Records that a checkpoint was saved, its path and its score."""
        if sessions.rank() == 0 and self.session.live:
            self.session.checkpoint(checkpoint_callback)


def _as_folder(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in " ._-" else "_" for letter in name).strip(" .")
    return kept or "run"
