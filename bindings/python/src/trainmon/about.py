# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a run says of itself and lets scripts change by assignment: name, tags, notes, settings, its page and its folder."""

from __future__ import annotations

import os

from trainmon import values as conversion
from trainmon._native import to_bytes
from trainmon.disabled import FOREIGN_CALLS, foreign_call
from trainmon.guard import never_raises
from trainmon.results import Results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from trainmon._config import Config

MARKS = ("project:", "group:", "job:")  # tags that init makes of its arguments
NAME_BYTES = 4_096
NOTES_BYTES = 65_536


class About(Results):
    """Properties of a run. What is not known here, since people change it on the page too, is read from the store; None where it can't be read."""

    dashboard: Any = None
    resumed = False  # True: the run was there before, and this is a further attempt of it

    if TYPE_CHECKING:
        _step: int
        _name: str
        _config: Config
        _summary: Config

        def _update(self, **fields: Any) -> None: ...

    @property
    def name(self) -> str:
        """The name of the run; an assignment renames it in the store too."""
        return self._name

    @name.setter
    @never_raises
    def name(self, name: Any) -> None:
        text = "" if name is None else to_bytes(conversion.clean(str(name)), NAME_BYTES).decode()
        if not text:
            self.warn_once("name", f"a name of no letters is none: the run keeps {self._name!r}")
            return
        self._update(name=text)
        self._name = text

    @property
    def config(self) -> Config:
        """The settings, a mapping that is written when it changes; a dict that is assigned updates it."""
        return self._config

    @config.setter
    @never_raises
    def config(self, values: Any) -> None:
        self._config.update(values)

    @property
    def summary(self) -> Config:
        """The outcome in a few values, a mapping like `config`; a dict that is assigned updates it."""
        return self._summary

    @summary.setter
    @never_raises
    def summary(self, values: Any) -> None:
        self._summary.update(values)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags without those that `init` made of project, group and job_type, which an assignment leaves as they are."""
        return tuple(tag for tag in self._stored("tags") or () if not tag.startswith(MARKS))

    @tags.setter
    @never_raises
    def tags(self, tags: Any) -> None:
        given = (tags,) if isinstance(tags, str) else tuple(map(str, tags or ()))
        marks = [tag for tag in self._stored("tags") or () if tag.startswith(MARKS)]
        cut = [to_bytes(tag, 64).decode() for tag in given if tag]
        self._update(tags_json=conversion.to_json(list(dict.fromkeys(marks + cut))))

    @property
    def notes(self) -> str | None:
        """The notes; an assignment replaces them."""
        return self._stored("notes")

    @notes.setter
    @never_raises
    def notes(self, notes: Any) -> None:
        self._update(notes="" if notes is None else to_bytes(str(notes), NOTES_BYTES).decode())

    @property
    def project(self) -> str | None:
        """The project that `init` was told."""
        return self._mark("project:")

    @property
    def group(self) -> str | None:
        """The group that `init` was told."""
        return self._mark("group:")

    @property
    def job_type(self) -> str | None:
        """The job_type that `init` was told."""
        return self._mark("job:")

    @property
    def step(self) -> int:
        """The step of the next call of `log` that names none."""
        return self._step

    @property
    def url(self) -> str | None:
        """The address of the run's page where this process serves one (`init(dashboard=True)`), else None."""
        served = self.dashboard
        return None if served is None or served.process.poll() is not None else f"{served.url}session/{self.id}"

    @property
    def dir(self) -> str:
        """A folder for files of the run, such as checkpoints, in that of the store; made when it is asked for."""
        folder = os.path.join(self.store.path, "files", self.id)
        self._make(folder)
        return folder

    def get_url(self) -> str | None:
        """Gives `url`."""
        return self.url

    @never_raises
    def _make(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)

    def _stored(self, field: str) -> Any:
        try:
            return getattr(self.store.run(self.id), field)
        except Exception as error:  # the store is gone, or can't be read now
            self.warn_once("stored", f"{field} can't be read: {conversion.shown(str(error), 200)}")
            return None

    def _mark(self, kind: str) -> str | None:
        return next((tag[len(kind):] for tag in self._stored("tags") or () if tag.startswith(kind)), None)

    # Methods, since a __getattr__ would slow every look-up of an attribute in `log`.
    watch, unwatch, save, log_code, log_artifact, log_model, mark_preempting = map(foreign_call, FOREIGN_CALLS)
