# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The commands that read: what they show is what the store holds, whoever reads it and however wide the terminal is."""

import json
import re
import subprocess
import sys

import pytest
from conftest import finished, record_run

import trainmon
from trainmon.cli import COMMANDS, terminal

ESCAPE = re.compile(r"\033\[[0-9;?]*[A-Za-z]")


def test_runs_as_json_is_the_store(cli, two_runs):
    done = cli("runs", "--json")
    assert (done.code, done.err) == (0, "")
    store = trainmon.Store("trainmon")
    assert done.json == {"store": store.path, "runs": json.loads(json.dumps([record.to_dict() for record in store.runs()]))}
    assert [run["id"] for run in done.json["runs"]] == two_runs[::-1]


@pytest.mark.parametrize(("words", "names"), [
    (("--status", "failed"), ["broken"]), (("--project", "digits"), ["wide", "narrow"]), (("--tag", "paper"), ["narrow"]),
    (("--model", "cnn"), ["broken"]),
    (("--text", "ETTER"), ["wide"]), (("--sort", "final_loss", "--ascending"), ["wide", "narrow", "broken"]),
    (("--limit", "1"), ["broken"]), (("--active",), []),
])
def test_filters(cli, two_runs, words, names):
    record_run("broken", [0.9], status="failed", model_type="cnn")
    assert [run["name"] for run in cli("runs", "--json", *words).json["runs"]] == names
    shown = cli("runs", *words)
    assert shown.code == 0
    for name in ("narrow", "wide", "broken"):
        assert (name in shown.out) == (name in names)


def test_what_to_do_when_there_is_nothing(cli):
    missing = cli("runs")
    assert missing.code == 1
    assert "no store at" in missing.err and "trainmon.init" in missing.err and "Traceback" not in missing.err
    trainmon.Store("trainmon").close()
    assert "No runs in" in cli("runs").out and "trainmon.init" in cli("runs").out
    record_run("one", [0.5])
    assert "No run is going on" in cli("runs", "--active").out
    assert "No run is like that" in cli("runs", "--tag", "none").out


def test_the_environment_names_the_store(cli, monkeypatch):
    record_run("elsewhere", [0.5], folder="other")
    assert "elsewhere" in cli("runs", "--store", "other").out
    assert "elsewhere" in cli("--store", "other", "runs").out
    monkeypatch.setenv("TRAINMON_DIR", "other")
    assert "elsewhere" in cli("runs").out


def test_show_has_all(cli, two_runs):
    run = trainmon.init(name="full", hardware=0, epochs=1, config={"lr": 0.125}, notes="a note", alert_rules=[
        {"name": "critical RAO", "type": "class_floor", "class": "RAO", "threshold": 0.99, "margin": 0.02}])
    run.log({"train/loss": 0.75, "odd": float("nan")}, 7)
    run.log_epoch(0, {"val/loss": 0.5, "mine": 3})
    run.log_validation(0, {"RAO": {"sensitivity": 0.5, "precision": 0.25, "support": 4}})
    run.alert("look", "at this")
    run.event("checkpoint", "best.pt")
    run.progress(epoch=1, epochs=1)
    run.flush()
    finished(run, status="failed", error="ValueError: it broke")
    shown = cli("show", "full")
    assert shown.code == 0
    for text in ("full  failed", "100 %", "epoch 1/1", "ValueError: it broke", "0.125", "a note", "train/loss", "0.75", "nan", "Epochs", "val_loss", "mine",
                 "Critical conditions", "RAO", "critical", "0.99", "at this", "checkpoint", "best.pt", "Classes", "trainmon export"):
        assert text in shown.out, text
    facts = cli("show", run.id[:6], "--json").json
    assert facts["run"]["id"] == run.id and facts["run"]["error_text"] == "ValueError: it broke"
    assert facts["metrics"]["train/loss"] == {"count": 1, "last": 0.75, "step": 7, "time": facts["metrics"]["train/loss"]["time"]}
    assert facts["metrics"]["odd"]["last"] == "nan"
    assert facts["critical_conditions"] == {"RAO": {"sensitivity": 0.5, "threshold": 0.99, "status": "critical"}}
    assert [row["class_name"] for row in facts["classes"]] == ["RAO"]


def test_show_of_a_run_that_never_says_how_far_it_is(cli):
    with trainmon.init(name="plain", hardware=0) as run:
        run.log({"a": 1.0}, 0)
        run.flush()
        shown = cli("show", "plain").out
        assert "running" in shown and "0 %" not in shown and "░" not in shown
        run.progress(epoch=0, epochs=4)
        run.flush()
        assert "0 %  epoch 0/4" in cli("show", "plain").out


def test_what_is_to_be_copied_is_not_cut(at_terminal, cli):
    id = record_run("one", [0.5], folder="a store")
    command = f"trainmon export {id[:8]} -o {id[:8]}.csv --store 'a store'"
    assert f"\n{command}\n" in at_terminal("show", "one", "--store", "a store", columns=40)[1].replace("\r", "")
    assert subprocess.run(["sh", "-c", command.replace("trainmon", f"{sys.executable} -m trainmon", 1)], capture_output=True, check=False).returncode == 0
    assert f"take along  {command}" in cli("show", "one", "--store", "a store").out


def test_compare_names_what_differs(cli, two_runs):
    shown = cli("compare", "narrow", "wide")
    assert shown.code == 0
    assert re.search(r"layers\S* +8 +64", shown.out), shown.out
    assert "seed" not in shown.out and "  lr" not in shown.out
    assert re.search(r"val_loss +best +0\.25 +\* 0\.125", shown.out)
    assert "seed" in cli("compare", "narrow", "wide", "--all").out
    answer = cli("compare", *two_runs, "--metrics", "train/loss", "--json").json
    assert [metric["name"] for metric in answer["metrics"]] == ["total_loss"]  # the column that the name fills
    assert [one["final"] for one in answer["metrics"][0]["sessions"]] == [0.25, 0.125]
    assert re.search(r"train/loss +best +0\.25 .*\n +last", shown.out) and "total_loss" not in shown.out  # the name that all logged it under
    assert "train_loss" in cli("compare", "narrow", "wide", "--metrics", "train_loss").out
    both = cli("compare", *two_runs, "--metrics", "train/loss", "--metrics", "val_loss", "--json").json
    assert [metric["name"] for metric in both["metrics"]] == ["total_loss", "val_loss"]
    assert cli("compare", "narrow").code == 2
    assert cli("compare", "narrow", "narrow").code == 1


def test_compare_of_metrics_that_no_run_has(cli, two_runs):
    done = cli("compare", "narrow", "wide", "--metrics", "val_loss", "val_acuracy", "--json")
    assert (done.code, done.out) == (1, "") and "none of the runs has a metric 'val_acuracy'" in json.loads(done.err)["error"]
    assert "did you mean val_accuracy" in json.loads(done.err)["hint"]
    for name in ("left", "right"):
        run = trainmon.init(name=name, hardware=0)
        run.log({name: 1.0}, 0)
        finished(run)
    assert re.search(r"left +best +1 +-\n(.*\n)+ +right +best +- +1\n", cli("compare", "left", "right").out)
    assert "right  best" not in cli("compare", "left", "right", "--metrics", "left").out
    for name in ("bare", "empty"):
        finished(trainmon.init(name=name, hardware=0))
    assert "None of the runs has a metric" in cli("compare", "bare", "empty").out


def test_leaderboard_ranks(cli, two_runs):
    record_run("cut", [0.01], status="cancelled")
    answer = cli("leaderboard", "--metric", "val_loss", "--json").json
    assert [(row["rank"], row["session_name"], row["value"]) for row in answer["leaderboard"]] == [(1, "wide", 0.125), (2, "narrow", 0.25)]
    higher = cli("leaderboard", "--metric", "val_loss", "--direction", "higher", "--any-status").out.splitlines()
    assert [line.split()[5] for line in higher[2:]] == ["narrow", "wide", "cut"]
    empty = cli("leaderboard")
    assert empty.code == 0 and "--metric" in empty.out and "They have: train/acc, train/loss" in empty.out and "val_loss" in empty.out
    assert "train/loss (total_loss), best value" in cli("leaderboard", "--metric", "train/loss").out
    bad = cli("leaderboard", "--metric", "x\ty", "--json")
    assert bad.code == 1 and "error" in json.loads(bad.err)


def test_leaderboard_without_a_metric_takes_what_runs_declare(cli):
    for name, losses in (("near", [0.5]), ("best", [0.25])):
        record_run(name, losses, best_metric="val_loss:min")
    record_run("other", [0.125], best_metric="val_acc:max")
    record_run("plain", [0.75])
    shown = cli("leaderboard")
    assert shown.code == 0 and shown.out.startswith("val_loss, best value, lower is better (no --metric: 2 of 4 runs declare it as their best")
    assert [line.split()[5] for line in shown.out.splitlines()[2:]] == ["other", "best", "near", "plain"]
    assert cli("leaderboard", "--json").json["metric"] == "val_loss"
    assert [row["value"] for row in cli("leaderboard", "--direction", "higher", "--json").json["leaderboard"]] == [0.75, 0.5, 0.25, 0.125]


def test_leaderboard_of_a_metric_that_no_run_has(cli, two_runs):
    done = cli("leaderboard", "--metric", "val_los", "--json")
    assert done.code == 1 and "no run has a metric 'val_los'" in json.loads(done.err)["error"]
    assert "did you mean val_loss" in json.loads(done.err)["hint"] and "train/acc" in json.loads(done.err)["hint"]
    run = trainmon.init(name="cut", hardware=0)
    run.log({"rare": 1.0}, 0)
    finished(run, status="cancelled")
    rare = cli("leaderboard", "--metric", "rare")  # there is one, only not among the completed ones
    assert rare.code == 0 and "--any-status" in rare.out and "cut" in cli("leaderboard", "--metric", "rare", "--any-status").out


def test_an_unknown_run_gets_near_matches(cli, two_runs):
    for word in ("narow", "NARROW", two_runs[0][:7] + ("0" if two_runs[0][7] != "0" else "1")):
        done = cli("show", word)
        assert done.code == 1 and two_runs[0][:8] in done.err and "Traceback" not in done.err, word
    record_run("wide", [0.3])
    twice = cli("show", "wide")
    assert twice.code == 1 and "2 runs are called" in twice.err and two_runs[1][:8] in twice.err
    as_json = cli("show", "nothing-like-it", "--json")
    assert (as_json.code, as_json.out) == (1, "")
    assert set(json.loads(as_json.err)) == {"error", "hint"}


def test_the_command_line_is_checked(cli):
    assert cli().code == 2
    assert cli("--help").code == 0
    assert "did you mean runs" in cli("rnus").err
    for words in (("runs", "--limit", "0"), ("runs", "--status", "great"), ("show",), ("runs", "--unknown"), ("tail", "x", "-n", "-1"), ("rnus",),
                  ("stop", "x", "--wait", "-1"), ("stop", "x", "--wait", "nan")):
        assert cli(*words).code == 2, words
        assert "error" in json.loads(cli(*words, "--json").err), words
    assert cli("--version").out.strip() == f"trainmon {trainmon.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli, command):
    done = cli(command, "--help")
    assert done.code == 0 and f"usage: trainmon {command}" in done.out
    assert "examples:" in done.out and "--json" in done.out and "--store" in done.out


def test_a_reader_that_leaves_early(two_runs):
    process = subprocess.Popen([sys.executable, "-m", "trainmon", "export", "wide"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_colour_only_on_a_terminal_that_wants_it(cli, at_terminal, two_runs):
    assert "\033" not in cli("runs").out
    assert "\033[32mcompleted" in at_terminal("runs", columns=120)[1]
    assert "\033" not in at_terminal("runs", "--no-color")[1]
    assert "\033" not in at_terminal("runs", env={"NO_COLOR": "1"})[1]
    assert "\033" not in at_terminal("runs", env={"TERM": "dumb"})[1]
    assert "\033" not in at_terminal("show", "nobody", "--no-color")[1]


@pytest.mark.parametrize("columns", [30, 50, 80, 200])
def test_tables_fit_the_terminal(at_terminal, columns):
    record_run("a very long name of a run that nobody can read in one go, with 日本語 in it", [0.5, 0.25], project="digits", tags=["one", "two", "three"] * 5)
    for words in (("runs",), ("leaderboard", "--metric", "val_loss"), ("show", "a very long name of a run that nobody can read in one go, with 日本語 in it")):
        _, said = at_terminal(*words, columns=columns)
        table = said.split("Files")[0].splitlines()
        if words[0] == "show":
            table = table[table.index(next(line for line in table if "METRIC" in line)):]
        for line in table:
            assert terminal.columns_of(ESCAPE.sub("", line)) <= columns or (words[0] == "leaderboard" and "better" in line), line


def test_names_cannot_steer_the_terminal(at_terminal, cli):
    record_run("evil\033[2J\nname", [0.5])
    for said in (cli("runs").out, at_terminal("runs", "--no-color")[1], cli("show", trainmon.Store().runs()[0].id).out):
        assert "\033" not in said and "evil" in said


def test_people_read_times_and_numbers():
    assert [terminal.duration(seconds) for seconds in (None, 0.26, 42, 185, 8040, 273600)] == ["-", "0.3 s", "42 s", "3 min 05 s", "2 h 14 min", "3 d 4 h"]
    assert [terminal.duration(seconds) for seconds in (9.96, 59.6, 3599.7)] == ["10 s", "1 min 00 s", "1 h 00 min"]
    assert [terminal.number(value) for value in (None, 3, 3.0, 0.12345678, 1e-9, float("nan"), 1e300)] == ["-", "3", "3", "0.1235", "1e-09", "nan", "1e+300"]
    assert [terminal.size_of(size) for size in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert terminal.sparkline([0, 7, float("nan"), 3.5]) == "▁█·▄"
    assert terminal.sparkline([1.0, 1.0]) == "▁▁" and terminal.sparkline([float("inf"), -1e308, 1e308])[0] == "·"
    assert terminal.cut("日本語", 4) == "日…" and terminal.cut("abc", 3) == "abc"
