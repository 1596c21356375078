# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Live runs: following them, steering them, and what may not be done to them; trainers are processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import PROGRAM, record_run

import trainmon


def test_follow_gives_each_point_once_and_ends_with_the_run():
    store = trainmon.Store("trainmon")
    run = trainmon.init(name="here", hardware=0)
    run.log({"before": 1.0}, 0)
    follow, found = store.follow(run.id), []

    def collect():
        for point in follow:
            found.append(point)

    thread = threading.Thread(target=collect)
    thread.start()
    end = time.monotonic() + 60
    for step in range(5_000):
        run.log({"a": step, "b": -step}, step)
        while step % 200 == 199 and len(found) < 2 * (step + 1) and time.monotonic() < end:
            time.sleep(0.001)  # two commits without a look between them would lap it
    run.flush()
    run.finish()
    thread.join(60)
    assert not thread.is_alive() and not follow.lapped
    assert [(name, step, value) for name, step, _, value in found if name == "a"] == [("a", step, float(step)) for step in range(5_000)]
    assert [step for name, step, _, _ in found if name == "b"] == list(range(5_000))
    assert all(abs(at / 1e6 - time.time()) < 60 for _, _, at, _ in found)
    assert not [point for point in found if point[0] == "before"]


def test_follow_of_a_run_that_has_ended_or_is_not_there():
    id = record_run("old", [0.5])
    store = trainmon.Store("trainmon")
    assert list(store.follow(id)) == []
    with pytest.raises(trainmon.NotFoundError):
        store.follow("00000000-0000-4000-8000-000000000000")
    assert [step for step, _, _ in store.tail(id, "train/loss", 3)] == [47, 48, 49]


def test_follow_ends_when_the_trainer_is_killed(trainer):
    process, id = trainer()
    store = trainmon.Store("trainmon")
    points = []
    for point in store.follow(id):
        if not points:
            process.kill()
        points.append(point)
    assert points and store.run(id).status == "interrupted"


def test_tail_in_a_pipe_gives_lines_and_ends_with_the_run(trainer, cli):
    _process, id = trainer()
    tail = subprocess.Popen([*PROGRAM, "tail", id, "train/loss", "--lines", "5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [tail.stdout.readline() for _ in range(100)]
    assert cli("stop", id).code == 0
    lines += tail.stdout  # not communicate, which passes by what readline has read ahead
    _, err = tail.communicate(timeout=60)
    found = [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  train/loss  step (\d+)  (\S+)\n", line) for line in lines]
    assert all(found), lines
    steps = [int(match[1]) for match in found]
    # One that had no time to look says that it lacks points.
    assert steps == list(range(steps[0], steps[-1] + 1)) or ("too fast to be shown" in err and steps == sorted(set(steps)))
    assert steps[-1] == trainmon.Store("trainmon").metrics(id)["train/loss"]["step"]
    assert "live is cancelled" in err and tail.returncode == 0


def test_tail_as_json_lines(trainer, cli):
    _process, id = trainer()
    tail = subprocess.Popen([*PROGRAM, "tail", id, "train/*", "--lines", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    points = [json.loads(tail.stdout.readline()) for _ in range(50)]
    tail.send_signal(signal.SIGINT)
    _out, err = tail.communicate(timeout=60)
    assert {point["name"] for point in points} == {"train/loss", "train/acc"}
    assert points[0]["time"].endswith("Z") and points[0]["value"] is not None
    assert tail.returncode == 130 and "Traceback" not in err


def test_tail_of_an_ended_run_shows_its_last_points(cli):
    record_run("done", [0.5])
    done = cli("tail", "done", "--lines", "3")
    assert (done.code, len(done.out.splitlines())) == (0, 3)
    assert "done is completed" in done.err


def test_tail_of_a_metric_that_the_run_does_not_have(cli, trainer):
    record_run("done", [0.5])
    for name, near in (("nosuch*", None), ("train/los", "train/loss"), ("val/loss", None)):  # the last is of the epochs only
        done = cli("tail", "done", name)
        assert (done.code, done.out) == (1, "") and f"done has no metric {name!r}" in done.err and "there is: train/" in done.err
        assert not near or f"did you mean {near}" in done.err
    some = cli("tail", "done", "nosuch", "train/loss", "--lines", "2")
    assert (some.code, len(some.out.splitlines())) == (0, 2) and "has no metric 'nosuch'" in some.err
    _process, id = trainer()
    tail = subprocess.Popen([*PROGRAM, "tail", id, "nosuch*"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert "live has no metric 'nosuch*' yet" in tail.stderr.readline() and "train/loss" in tail.stderr.readline()
    tail.send_signal(signal.SIGINT)
    tail.communicate(timeout=60)
    assert tail.returncode == 130


def drawn_in_place(text):
    """Often enough, with a line of some length."""
    return len(re.findall(r"\033\[\d+A", text)) > 4 and re.search("[▁▂▃▄▅▆▇█]{10}", text)


def test_tail_on_a_terminal_draws_in_place(trainer, at_terminal):
    _process, id = trainer()
    code, said = at_terminal("tail", id, columns=70, until=drawn_in_place)
    assert code == 130 and "Traceback" not in said
    assert said.count("\033[?25l") == said.count("\033[?25h") == 1
    last = said.split("\033[J")[-1]
    assert "train/loss" in last and "train/acc" in last and "running" in last and re.search("[▁▂▃▄▅▆▇█]{10}", last)
    for line in last.split("\033[?25h")[0].splitlines():
        assert len(re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", line)) <= 70


def test_pause_resume_stop(trainer, cli):
    process, id = trainer()
    assert cli("pause", id, "--wait", "100").code == 0
    store = trainmon.Store("trainmon")
    assert store.run(id).paused and "paused" in cli("runs", "--active").out
    count = store.metrics(id)["train/loss"]["count"]
    time.sleep(0.2)
    assert store.metrics(id)["train/loss"]["count"] == count
    assert cli("resume", id, "--wait", "100").code == 0
    answer = cli("stop", "live", "--wait", "100", "--json")
    assert answer.json["runs"] == [{"id": id, "name": "live", "asked": "stop", "obeyed": True}]
    assert process.wait(60) == 0 and store.run(id).status == "cancelled"
    late = cli("stop", id)
    assert late.code == 1 and "only a live run" in late.err


def test_a_trainer_that_does_not_obey(cli):
    run = trainmon.init(name="deaf", hardware=0)
    done = cli("stop", "deaf", "--wait", "0.2")
    assert done.code == 1 and "has not obeyed" in done.err
    run.finish()


def test_live_runs_are_not_deleted(trainer, cli):
    _process, id = trainer()
    old = record_run("old", [0.5])
    done = cli("delete", old, id, "--yes")
    assert done.code == 1 and f"trainmon stop {id[:8]}" in done.err
    assert {record.id for record in trainmon.Store("trainmon").runs()} == {old, id}


def test_delete_asks(cli, at_terminal, two_runs):
    assert cli("delete", "narrow").code == 1
    assert "nobody is there to ask" in cli("delete", "narrow").err
    code, said = at_terminal("delete", "narrow", typed="n\n")
    assert code == 1 and "for good?" in said and "nothing was deleted" in said
    assert len(trainmon.Store("trainmon").runs()) == 2
    code, said = at_terminal("delete", "narrow", "wide", typed="y\n")
    assert code == 0 and "these 2 runs" in said and trainmon.Store("trainmon").runs() == []
    id = record_run("again", [0.5])
    assert cli("delete", id[:8], "--yes", "--json").json == {"deleted": [id]}


def test_rename_note_tags(cli, two_runs):
    store = trainmon.Store("trainmon")
    before = store.run(two_runs[0])
    assert cli("rename", "narrow", "thin").code == 0
    assert cli("note", "thin", "loss explodes\nlate").code == 0
    assert cli("tags", "thin", "--add", "a", "b", "--remove", "paper", "--json").json["tags"] == ["project:digits", "a", "b"]
    record = store.run(two_runs[0])
    assert (record.name, record.notes, record.tags) == ("thin", "loss explodes\nlate", ["project:digits", "a", "b"])
    assert (record.final_loss, record.learning_rate, record.status, record.config) == (before.final_loss, before.learning_rate, before.status, before.config)
    assert cli("note", "thin").out == "loss explodes\nlate\n"
    assert cli("note", "thin", "").code == 0 and store.run(two_runs[0]).notes is None
    assert cli("tags", "thin", "--add", "c", "--remove", "a", "--add", "d", "--remove", "b", "--json").json["tags"] == ["project:digits", "c", "d"]
    assert cli("tags", "thin", "--remove", "c", "d", "--add", "a", "b").code == 0
    missing = cli("tags", "thin", "--remove", "none")
    assert missing.code == 1 and "it has: project:digits, a, b" in missing.err
    assert cli("rename", "thin", " ").code == 2


def test_ctrl_c_elsewhere_is_clean(trainer):
    _process, id = trainer()
    wait = subprocess.Popen([*PROGRAM, "resume", id, "--wait", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert wait.communicate(timeout=60)[0]  # it runs already: nothing to wait for
    script = "import sys; from trainmon.cli import common, main; "
    script += "common.find_run = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt); sys.exit(main(['show', 'x']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stderr.strip()) == (130, "")
