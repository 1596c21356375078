# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run in a notebook: what `run` shows as the last line of a cell, `show` for a picture of now or the page, `watch` for one that keeps up by itself.

The picture is HTML and SVG without scripts or files from elsewhere, so it stays in the saved notebook. All names are escaped. IPython is imported where
it is used.
"""

from __future__ import annotations

import html
import math
import os
import threading
import urllib.request
from pathlib import Path

from trainmon.errors import TrainmonError
from trainmon.server import ADDRESS, Dashboard
from trainmon.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MAX_CHARTS = 12
BUCKETS = 200
WIDTH, HEIGHT, EDGE = 240, 80, 3
COLOURS = {"running": "#1971c2", "completed": "#2b8a3e", "failed": "#c92a2a", "cancelled": "#868e96", "interrupted": "#e67700", "pending": "#868e96"}
LIVE = ("pending", "running")
REACH_SECONDS = 1.0
_framed_pages: dict[tuple[int, str, str], Dashboard] = {}
_starting = threading.Lock()


def show(run_or_id: Any, store: Any = None, height: int = 600, metrics: Sequence[str] | None = None, *, origin: str | None = None) -> None:
    """Shows a run in the cell: a picture of now, with a link where a dashboard of the store runs; with `origin` the live page in a frame of `height` pixels.

    `run_or_id`: a Run, a Record, an id or a name; `store`: a Store or its folder, for ids. `metrics`: the names to draw, None for the first 12. `origin`: what
    the browser's address bar has before the path of the notebook, such as http://localhost:8888. A dashboard that only pages from there may frame is started
    for it where none runs; it ends with this process. NotFoundError; OSError: that one can't be started, or the origin is none.
    """
    from IPython.display import HTML, display

    opened, id = _find(run_or_id, store)
    url = _dashboard(run_or_id, opened)
    if origin is not None and not (url and _may_be_framed(url, origin)):
        url = _framed(opened, origin)
    page = f"{url.rstrip('/')}/session/{id}" if url else None
    if page and _may_be_framed(page, origin):
        frame = f'<iframe src="{html.escape(page)}" width="100%" height="{int(height)}" style="border:0" title="trainmon"></iframe>'
        display(HTML(f"<div>{frame}</div>"))  # IPython warns of a bare frame
        return
    display(HTML(to_html(opened, id, metrics, page)))


def watch(run_or_id: Any, store: Any = None, *, metrics: Sequence[str] | None = None, every: float = 2.0) -> Watch:
    """Shows a picture of the run that is drawn anew in place each `every` seconds, by a thread, until the run ends or `stop` is called. As `show` otherwise."""
    opened, id = _find(run_or_id, store)
    return Watch(opened, id, metrics, every)


class Watch:
    """A picture that keeps up; made by `watch`."""

    def __init__(self, store: Store, id: str, metrics: Sequence[str] | None, every: float) -> None:
        """Shows the first picture and starts the thread."""
        from IPython.display import HTML, display

        self._store, self._id, self._metrics, self._html, self._every = store, id, metrics, HTML, max(0.1, every)
        self._end = threading.Event()
        self._handle: Any = display(HTML(to_html(store, id, metrics)), display_id=True)
        self._thread = threading.Thread(target=self._follow, name="trainmon-notebook", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        """Says what is watched."""
        return f"<trainmon.notebook.Watch {self._id}{'' if self._thread.is_alive() else ' ended'}>"

    def update(self) -> bool:
        """Draws it anew; False when the run has ended."""
        live = self._store.run(self._id).status in LIVE
        if self._handle is not None:
            self._handle.update(self._html(to_html(self._store, self._id, self._metrics)))
        return live

    def stop(self) -> None:
        """Ends the drawing; the last picture stays."""
        self._end.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(10)

    def _follow(self) -> None:
        while not self._end.wait(self._every):
            try:
                if not self.update():
                    return
            except Exception:  # the run was deleted, or the kernel goes: a picture is no reason for a trace in a cell
                return


def to_html(store: Store, id: str, metrics: Sequence[str] | None = None, page: str | None = None) -> str:
    """Gives name, status, progress, last values and small charts of a run as HTML. NotFoundError: no such run."""
    record, known = store.run(id), store.metrics(id)
    names = [name for name in known if not name.startswith("system/")][:MAX_CHARTS] if metrics is None else [name for name in metrics if name in known]
    colour = COLOURS.get(record.status, COLOURS["pending"])
    parts = ['<div style="font-family:sans-serif;font-size:13px;line-height:1.5">',
             f'<b>{_escape(record.name)}</b> <span style="color:{colour}">{_escape(record.status)}</span> <span style="opacity:.6">{_escape(record.id)}</span>']
    if page:
        parts.append(f' <a href="{html.escape(page)}" target="_blank" rel="noopener">page</a>')
    if record.error_text:
        parts.append(f'<div style="color:{COLOURS["failed"]}">{_escape(record.error_text)}</div>')
    parts.append(_progress(record.progress, colour))
    parts.append('<div style="display:flex;flex-wrap:wrap;gap:12px">')
    parts += [_chart(store, id, name, known[name]) for name in names]
    left = len(known) - len(names) if metrics is None else 0
    parts.append(f'</div>{f"<div>and {left} more</div>" if left > 0 else ""}</div>')
    return "".join(parts)


def _escape(text: Any) -> str:
    return html.escape(str(text)[:300])


def _progress(progress: dict[str, Any], colour: str) -> str:
    epoch, epochs = progress["epoch"], progress["epochs"]
    share = epoch / epochs if epochs else progress["fraction"]
    if epochs and progress["batches"]:
        share += progress["batch"] / progress["batches"] / epochs
    if not share > 0:
        return ""
    share = min(share, 1.0)
    said = f"epoch {epoch} of {epochs}" if epochs else ""
    return (f'<div style="background:rgba(128,128,128,.25);height:6px;width:240px;margin:4px 0" role="progressbar" aria-valuenow="{share * 100:.0f}">'
            f'<div style="background:{colour};height:6px;width:{share * 100:.1f}%"></div></div><div>{share * 100:.0f} % {said}</div>')


def _chart(store: Store, id: str, name: str, known: dict[str, Any]) -> str:
    points = [(bucket["last_x"], bucket["last"]) for bucket in store.series(id, name, width=BUCKETS)]
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    drawing = ""
    if finite:
        left, right = finite[0][0], max(finite[-1][0], finite[0][0] + 1)
        low, high = min(y for _, y in finite), max(y for _, y in finite)
        spread = high / 2 - low / 2 or 0.5  # halved: the difference of two large numbers may be infinite
        wide, high_px = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE
        path = " ".join(f"{EDGE + wide * (x - left) / (right - left):.1f},{EDGE + high_px * (1 - (y / 2 - low / 2) / spread):.1f}" for x, y in finite)
        shape = f'<polyline points="{path}" fill="none" stroke="#1971c2" stroke-width="1.5"/>' if len(finite) > 1 else _dot(path)
        drawing = (f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
                   f'<title>{_escape(name)}: {low:.4g} to {high:.4g}</title>{shape}</svg>')
    return (f'<div style="border:1px solid rgba(128,128,128,.35);padding:4px"><div>{_escape(name)} <b>{known["last"]:.5g}</b>'
            f' <span style="opacity:.6">step {known["step"]}</span></div>{drawing}</div>')


def _dot(place: str) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="2.5" fill="#1971c2"/>'


def _find(run_or_id: Any, store: Any) -> tuple[Store, str]:
    own = getattr(run_or_id, "store", None)
    opened = own if isinstance(own, Store) else store if isinstance(store, Store) else Store(store, must_exist=True)
    id = getattr(run_or_id, "id", run_or_id)
    if not isinstance(id, str) or not id:
        raise ValueError(f"{run_or_id!r} is no run and no id")
    return opened, opened.run(id).id


def _dashboard(run_or_id: Any, store: Store) -> str | None:
    """Gives the address of a page of this store that was started by this run, or by one before and answers still."""
    own = getattr(getattr(run_or_id, "dashboard", None), "url", None)
    if own:
        return str(own)
    try:
        found = ADDRESS.search((Path(store.path) / "logs" / "dashboard.log").read_text(errors="replace"))
    except OSError:
        return None
    return found[0] if found and _open(found[0]) is not None else None


def _open(url: str) -> Any:
    """Gives the headers of what is at an address of this machine; None when nothing answers."""
    if not url.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=REACH_SECONDS) as answer:
            return answer.headers
    except (OSError, ValueError):
        return None


def _framed(store: Store, origin: str) -> str:
    """Gives the address of a page of this store that may be framed from `origin`; starts one where none answers."""
    key = (os.getpid(), store.path, origin)
    with _starting:
        found = _framed_pages.get(key)
        if found is None or found.process.poll() is not None:
            found = _framed_pages[key] = Dashboard(store.path, port=0, frames=(origin,))
    return str(found.url)


def _may_be_framed(url: str, origin: str | None) -> bool:
    """Tells whether the page lets a notebook of this origin, of None any notebook, frame it: a browser would show an empty box otherwise."""
    headers = _open(url)
    if headers is None or "x-frame-options" in headers:
        return False
    rules = [words.split() for words in str(headers.get("content-security-policy", "")).split(";")]
    allowed = next((words[1:] for words in rules if words[:1] == ["frame-ancestors"]), ["*"])
    return "*" in allowed or origin in allowed


def repr_html(run: Any) -> str | None:
    """Gives what a cell shows for a run; None when the store can't be read, so that its plain text is shown."""
    try:
        return to_html(run.store, run.id)
    except (TrainmonError, OSError, ValueError):
        return None
