# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The Python of README.md and of the guide, run as it is written, after what each snippet takes for granted."""

import os
import pathlib
import re
import subprocess
import sys

import ends
import pytest

import trainmon

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = ["README.md", "bindings/python/README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs/guide").glob("python*.md"))]
RUNS = """
import os, trainmon
def made(name):
    with trainmon.init(name=name, dir="runs", hardware=0) as run:
        for step in range(50):
            run.log({"train/loss": 1 / (step + 1)})
        run.flush()
    return run.id
"""
LIVE = """
import threading, trainmon
from time import sleep
run = trainmon.init(hardware=0)
run_id = run.id
def train():
    while "name" not in globals():  # which the snippet sets once it follows
        run.log({"train/loss": 1.0}, step=0)
        sleep(0.01)
    for step in range(50):
        run.log({"train/loss": 1 / (step + 1)}, step=step)
        sleep(0.01)
    run.finish()
threading.Thread(target=train).start()
"""
# A run that wandb wrote, and a table as Lightning's CSVLogger writes it.
IMPORTED = f"""
import os, tarfile, trainmon
tarfile.open({str(ROOT / 'tests/python/importers/data/wandb.tar.gz')!r}).extractall(".")
os.mkdir("lightning_logs")
with open("lightning_logs/metrics.csv", "w") as file:
    file.write("epoch,step,train_loss\\n0,0,1.0\\n0,1,0.5\\n")
"""
MADE_OF = "{tag for run in trainmon.Store('runs').runs() for tag in run.tags if tag.startswith('from:')}"
BASIC = """
from trainmon.monitoring import create_monitoring_callback
loss, val_loss, matrix, names = 0.5, 0.6, [[3, 1], [0, 4]], ["digit_1", "digit_8"]
"""
# Page and number of the snippet: what stands before it, and what holds after it.
SNIPPETS = {
    ("README.md", 1): ("loss, acc = 0.25, 0.75", "assert len(run.store.points(run.id, 'train/acc')) == 1000"),
    ("bindings/python/README.md", 1): ("", "assert len(run.store.points(run.id, 'train/acc')) == 1000"),
    ("docs/guide/python.md", 1): ("loss, acc = 0.25, 0.75", "from ends import ended\nassert ended(run.store, run.id).status == 'completed'"),
    ("docs/guide/python.md", 2): ("import trainmon\nrun, loader = trainmon.init(), range(10)\nrun.request('stop')", "assert batch == 0 and run.should_stop"),
    ("docs/guide/python-cli.md", 1): (LIVE, "assert (name, step, value) == ('train/loss', 49, 0.02)"),
    ("docs/guide/python-import.md", 1): (IMPORTED, f"assert {MADE_OF} == {{'from:wandb', 'from:csv'}}, {MADE_OF}"),
    ("docs/guide/python-monitoring.md", 2): (BASIC, "import trainmon\nassert [row.progress['epoch'] for row in trainmon.Store().runs()] == [3]"),
    ("docs/guide/python-reading.md", 1): (RUNS + "id, other = made('a'), made('b')",
        "assert frame.shape == (50, 2) and len(points) == 50 and series.array()['count'].sum() == 50"),
    ("docs/guide/python-tensorboard.md", 1): ("loss, step = 0.5, 3", "import trainmon\nassert [row.name for row in trainmon.Store().runs()] == ['runs/first']"),
}
# Needs a server (tests/contract/test_snippets.py); a framework or IPython (test_guide.py in tests/python/adapters and tests/python/ultralytics).
ELSEWHERE = {("README.md", 2), *(("docs/guide/python-ultralytics.md", number) for number in (1, 2, 3)), ("docs/guide/python-keras.md", 1),
             ("docs/guide/python-lightning.md", 1), ("docs/guide/python-monitoring.md", 1), ("docs/guide/python-reading.md", 2),
             ("docs/guide/python-transformers.md", 1)}


def snippets(page):
    """The Python blocks of a page, by page and number."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    return {(page, number): text for number, text in enumerate(blocks, 1)}


def test_every_snippet_is_run_somewhere():
    found = {key for page in PAGES for key in snippets(page)}
    assert found == SNIPPETS.keys() | ELSEWHERE


@pytest.mark.parametrize("key", SNIPPETS, ids=lambda key: f"{pathlib.Path(key[0]).stem}-{key[1]}")
def test_a_snippet_does_what_it_says(key, tmp_path):
    before, after = SNIPPETS[key]
    program = tmp_path / "script.py"
    program.write_text("\n".join([before, snippets(key[0])[key], after]), "utf-8")
    path = pathlib.Path(trainmon.__file__).parents[1]
    clean = {"PYTHONPATH": f"{path}{os.pathsep}{pathlib.Path(ends.__file__).parent}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, program], env=clean, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
