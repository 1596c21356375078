# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A run in a notebook, in IPython's own shell: what a cell shows, and what is drawn anew."""

import re
import threading
import xml.etree.ElementTree as ET

import pytest

import trainmon
from trainmon.errors import NotFoundError

pytest.importorskip("IPython")
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from trainmon import notebook

HOSTILE = '<script>alert(1)</script>"\'&'


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell that keeps what is displayed, with none of the user's settings and history."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(notebook, "REACH_SECONDS", 60)  # a server that others keep from the processor is there nevertheless
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher()
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def run():
    with trainmon.init(name=HOSTILE, epochs=4, hardware=0) as run:
        for step in range(500):
            run.log({"loss": 1 / (step + 1), HOSTILE: step, "odd": float("nan"), "one": 5} if step == 0 else {"loss": 1 / (step + 1), HOSTILE: step})
        run.progress(epoch=2, epochs=4)
        run.flush()
        yield run


def shown(shell):
    return [output["data"]["text/html"] for output in shell.display_pub.outputs]


def test_a_cell_shows_the_run_and_escapes_it(shell, run):
    shell.user_ns["run"] = run
    data, _ = shell.display_formatter.format(run)
    page = data["text/html"]
    assert "<script" not in page and page.count("&lt;script&gt;") >= 2
    assert "running" in page and "50 %" in page and "epoch 2 of 4" in page and "step 499" in page
    ET.fromstring(page)  # well-formed: nothing broke out of its place
    assert not re.search(r"https?://|<img|<link|url\(", page)


def test_a_chart_has_the_points_of_the_store(run):
    page = ET.fromstring(notebook.to_html(run.store, run.id, ["loss"]))
    [line] = page.iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    assert len(points) == len(run.store.series(run.id, "loss", width=200))
    assert points[0][1] < points[-1][1] == notebook.HEIGHT - notebook.EDGE  # the loss fell; down is a larger y
    assert points[0][0] == notebook.EDGE and points[-1][0] == notebook.WIDTH - notebook.EDGE


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 0], [float("inf"), 1, float("-inf")], [float("nan")], [3, 3]])
def test_values_at_the_edges(values):
    with trainmon.init(hardware=0) as run:
        for value in values:
            run.log({"x": value})
        run.flush()
        page = notebook.to_html(run.store, run.id)
    assert not re.search(r'points="[^"]*(nan|inf)', page)
    ET.fromstring(page)


def test_show_takes_runs_ids_and_names(shell, run):
    notebook.show(run)
    notebook.show(run.id, store="trainmon")
    notebook.show(run.store.run(run.id), store=run.store, metrics=["loss"])
    assert len(shown(shell)) == 3 and shown(shell)[2].count("<svg") == 1
    with pytest.raises(NotFoundError):
        notebook.show("no such run", store="trainmon")


def test_a_dashboard_that_can_not_be_framed_is_a_link(shell, run):
    from trainmon.server import PROGRAM, Dashboard

    if not PROGRAM.is_file():
        pytest.skip("this build has no server")
    dashboard = Dashboard(run.store.path, port=0)
    try:
        notebook.show(run)
        page = shown(shell)[0]
        headers = notebook._open(dashboard.url)
        framed = "frame-ancestors" not in headers["content-security-policy"]
        assert f"{dashboard.url.rstrip('/')}/session/{run.id}" in page
        assert ("<iframe" in page) == framed and ("<svg" in page) != framed
    finally:
        dashboard.stop()
    notebook.show(run)
    assert "<iframe" not in shown(shell)[1] and "<a href" not in shown(shell)[1]


def test_the_page_is_framed_for_one_origin(shell, run):
    from trainmon.server import PROGRAM, Dashboard

    if not PROGRAM.is_file():
        pytest.skip("this build has no server")
    origin = "http://localhost:8888"
    try:
        for _ in range(2):
            notebook.show(run, height=300, origin=origin)
        first, second = shown(shell)
        [dashboard] = notebook._framed_pages.values()
        assert first == second and f'<iframe src="{dashboard.url.rstrip("/")}/session/{run.id}"' in first and 'height="300"' in first
        headers = notebook._open(dashboard.url)
        assert f"frame-ancestors {origin}" in headers["content-security-policy"] and "x-frame-options" not in headers
        assert not notebook._may_be_framed(dashboard.url, origin + "8") and not notebook._may_be_framed(dashboard.url, None)
        notebook.show(run)
        assert "<iframe" not in shown(shell)[2] and "<svg" in shown(shell)[2] and f'<a href="{dashboard.url}' in shown(shell)[2]
        dashboard.stop()
        own = Dashboard(run.store.path, port=0, frames=("https://hub.example", origin))
        notebook.show(run, origin=origin)  # that one lets it, so no other is started
        own.stop()
        assert f'<iframe src="{own.url}' in shown(shell)[3] and list(notebook._framed_pages.values()) == [dashboard]
        for wrong in ("*", "localhost:8888", origin + "/lab", "http://a; script-src *"):
            with pytest.raises(OSError, match="origin"):
                notebook.show(run, origin=wrong)
    finally:
        for dashboard in notebook._framed_pages.values():
            dashboard.stop()
        notebook._framed_pages.clear()


def test_watch_draws_in_place_until_the_run_ends(shell, run):
    drawn = threading.Event()
    publish = shell.display_pub.publish

    def count(*arguments, **options):
        publish(*arguments, **options)
        if options.get("update"):
            drawn.set()

    shell.display_pub.publish = count
    watch = notebook.watch(run, every=0.1)
    run.log({"loss": 123.25})
    run.flush()
    assert drawn.wait(60)
    run.finish()
    watch._thread.join(60)
    assert not watch._thread.is_alive()
    outputs = shell.display_pub.outputs
    assert not outputs[0].get("update") and all(output["update"] for output in outputs[1:])
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert "123.25" in shown(shell)[-1] and "completed" in shown(shell)[-1]
    watch.stop()


def test_watch_stops_when_it_is_told(shell, run):
    watch = notebook.watch(run, every=0.1)
    watch.stop()
    assert not watch._thread.is_alive() and "ended" in repr(watch)


def test_importing_the_package_does_not_import_the_notebook():
    import subprocess
    import sys

    code = "import sys, trainmon; assert 'trainmon.notebook' not in sys.modules and 'IPython' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
