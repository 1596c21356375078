# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Names, notes and settings that would steer a terminal, and outputs that can't say every letter."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import finished

import trainmon

EVIL = "\033]0;owned\007\033[2J\x9b31m\u202e\rx"
PROGRAM = (sys.executable, "-m", "trainmon")
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def run_program():
    """Runs a command line as a process without a terminal."""
    def run(*words, encoding="utf-8"):
        where = {"PYTHONPATH": os.path.dirname(os.path.dirname(trainmon.__file__)), "PYTHONIOENCODING": encoding}
        done = subprocess.run([*PROGRAM, *words], check=False, capture_output=True, timeout=300, env={**os.environ, **where}, stdin=subprocess.DEVNULL)
        done.stdout, done.stderr = done.stdout.decode(encoding), done.stderr.decode(encoding)
        return done

    return run


@pytest.fixture
def ids():
    """Two runs of one evil name, and of all else."""
    made = []
    for index in range(2):
        with trainmon.init(name=EVIL, config={EVIL: EVIL, "n": index}, notes=f"{EVIL}\nsecond line", model_type=EVIL, dataset_name=EVIL, hardware=0,
                           reinit="create_new", project="p") as run:
            run.log({"loss": 1.0, f"m{EVIL}": index})
            run.log_epoch(1, {"loss": 1.0, f"e{EVIL}": 2.0})
            run.summary[EVIL] = EVIL
            run.event("text", EVIL)
            run.alert(EVIL, EVIL)
            run.update(tags=["plain"])
            run.log_validation(1, {EVIL: {"recall": 0.5, "class_group": EVIL}})
            run.flush()
            made.append(finished(run, status="failed", error=EVIL))
    return made


def test_nothing_steers_the_terminal(ids, run_program):
    a, b = ids
    commands = [["runs"], ["runs", "--json"], ["show", a], ["show", a, "--json"], ["compare", a, b, "--all"], ["tail", a], ["note", a], ["tags", a], ["doctor"],
                ["leaderboard", "--metric", "loss", "--any-status"], ["leaderboard", "--metric", EVIL], ["tags", a, "--remove", "none"], ["import", EVIL],
                ["export", a, "--metrics", "none"], ["show", EVIL], ["show", f"no{EVIL}"], ["show", a[:3] + "zzz"], ["pause", a], ["stop", a],
                ["rename", b, EVIL], ["note", b, EVIL], ["runs", "--store", EVIL], ["runs", "--status", EVIL], [EVIL], ["delete", a],
                ["export", a, "-o", "out/"], ["backup", f"copy{EVIL}"], ["delete", a, "--yes"]]
    for words in commands:
        done = run_program(*words)
        assert not STEERING.search(done.stdout + done.stderr), (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, (words, done.stderr)


def test_a_note_keeps_its_lines(ids, run_program):
    assert run_program("note", ids[0]).stdout.endswith("\nsecond line\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_outputs_that_can_not_say_every_letter(run_program, encoding):
    with trainmon.init(name="läuft 漢 █", hardware=0) as run:
        run.log({"lõss": 1.0})
        run.progress(epoch=1, epochs=2)
    for words in (["runs"], ["show", run.id], ["tail", run.id], ["show", "\udcff"], ["note", run.id, "a\udcffb"], ["runs", "--store", "no\udcff"]):
        done = run_program(*words, encoding=encoding)
        assert "Traceback" not in done.stderr, (words, done.stderr)
    found = json.loads(run_program("show", run.id, "--json", encoding=encoding).stdout)
    assert found["run"]["name"] == "läuft 漢 █" and "lõss" in found["metrics"]


def test_a_file_of_a_long_name(run_program, tmp_path):
    with trainmon.init(name="漢" * 80, hardware=0) as run:
        run.log({"a": 1.0})
    for form in ("csv", "tensorboard"):
        done = run_program("export", run.id, "--format", form, "-o", "out/")
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
