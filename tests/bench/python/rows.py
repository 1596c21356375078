# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The rows of tests/bench/run about the Python package: its budgets, and the same questions asked of other trackers."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PHASE_SECONDS = 60  # for each phase of a measurement; then the process is killed
MILLION = 1_000_000  # points
FEWER = 100_000  # where they did not end


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def command_of(kind, script, *arguments):
    """Gives the command of a script of this folder and the variables with the package of this tree, in an environment of tests/python/environment."""
    python = output_of(ROOT / "tests/python/environment", kind) + "/bin/python"
    return [python, HERE / script, *map(str, arguments)], {**os.environ, "PYTHONPATH": output_of(ROOT / "tests/python/package")}


def last_line(text):
    return text.strip().splitlines()[-1] if text.strip() else ""


def run_python(kind, script, *arguments, seconds=200):
    """Runs a script; gives the lines of JSON that it prints."""
    command, variables = command_of(kind, script, *arguments)
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables, timeout=seconds)
    if done.returncode != 0:
        raise OSError(f"{script} {' '.join(map(str, arguments))}: {last_line(done.stderr) or done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def watch(process, seconds):
    """Collects the figures that a measure.py prints until it begins to exit; where a phase lasts longer than `seconds`, its name stands as "hung"."""
    lines, result, phase = queue.Queue(), {}, "begin"

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while phase != "exit":
        try:
            line = lines.get(timeout=seconds)
        except queue.Empty:
            return {**result, "hung": phase}
        if line is None:
            return {**result, "broken": phase}
        values = json.loads(line)
        phase = values.pop("phase", phase)
        result.update(values)
    begin = time.perf_counter()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return {**result, "hung": phase}
    return {**result, "exit_ms": (time.perf_counter() - begin) * 1e3}


def ask(bench, kind, tracker, what):
    """Runs measure.py in a process group of its own, which does not outlive the answer."""
    folder = pathlib.Path(bench.path())
    folder.mkdir(parents=True)
    command, variables = command_of(kind, "measure.py", tracker, folder, what)
    with open(folder.with_suffix(".err"), "w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables, start_new_session=True)
        try:
            result = watch(process, PHASE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        errors.seek(0)
        if "broken" in result:
            result["broken"] += f": {last_line(errors.read())}"
    if "empty" in result:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        result["bytes_a_point"] = (size - result["empty"]) / max(1, result["stored"] or result["bulk_points"])
    return result


def both(bench, kind, tracker):
    """A tracker's figures; where the million never ends, that is said and the figures of the disk are those of fewer points."""
    calls, points = ask(bench, kind, tracker, "calls"), ask(bench, kind, tracker, MILLION)
    if points.get("hung") in {"bulk", "finish"}:
        hung = f"{points['hung']} of {points.get('bulk_points', MILLION):,} points"
        points = {**ask(bench, kind, tracker, FEWER), "hung": hung}
    return {**calls, **points}


def measured(bench, kind, tracker):
    """What must be complete."""
    got = both(bench, kind, tracker)
    for key in ("broken", "hung"):
        if key in got:
            raise OSError(f"measure.py {tracker}: {key} in {got[key]}")
    return got


def budgets(bench, row):
    """The budgets of the design, each against torch's SummaryWriter in the same run."""
    ours, torch = measured(bench, "frameworks", "trainmon"), measured(bench, "frameworks", "torch SummaryWriter")
    rows, peer = measured(bench, "frameworks", "sqlite rows"), "torch SummaryWriter"
    ratio = torch["one"]["p50"] / ours["one"]["p50"]
    row("python_log_1", ours["one"]["p50"] / 1e3, "us, p50", peer, torch["one"]["p50"] / 1e3, ratio, "<= 0.6 us", 0.6)
    mean = torch["one"]["mean"] / ours["one"]["mean"]  # its writer's thread holds the interpreter between calls, which a median does not see
    row("python_log_1_mean", ours["one"]["mean"] / 1e3, "us, mean", peer, torch["one"]["mean"] / 1e3, mean, "ratio >= 30", 30, mean, least=True)
    row("python_log_1_p99", ours["one"]["p99"] / 1e3, "us, p99", peer, torch["one"]["p99"] / 1e3, torch["one"]["p99"] / ours["one"]["p99"], "<= 3 us", 3)
    row("python_log_8", ours["eight"]["p50"] / 1e3, "us, p50", peer, torch["eight"]["p50"] / 1e3, torch["eight"]["p50"] / ours["eight"]["p50"], "<= 3 us", 3)
    row("python_import", ours["import_ms"], "ms", peer, torch["import_ms"], torch["import_ms"] / ours["import_ms"], "<= 50 ms", 50)
    row("python_import_memory", ours["import_mb"], "MB", peer, torch["import_mb"], None, "<= 10 MB", 10)
    peer_of_bulk = f"{rows['bulk_points']:,} SQLite rows"
    row("python_million", ours["bulk_s"], f"s for {ours['bulk_points']:,} to disk", peer_of_bulk, rows["bulk_s"], rows["bulk_s"] / ours["bulk_s"])
    row("python_bytes", ours["bytes_a_point"], "bytes/point", "SQLite rows", rows["bytes_a_point"], rows["bytes_a_point"] / ours["bytes_a_point"])
    row("python_read", ours["read_s"] * 1e3, f"ms, {ours['bulk_points']:,} as 1,000", "SQLite rows", rows["read_s"] * 1e3, rows["read_s"] / ours["read_s"])
    row("python_exit", ours["finish_ms"], "ms, finish", peer, torch["finish_ms"], None, "<= 100 ms", 100)
    presence(row)
    lightning(row)


def presence(row):
    """What it costs to have the package in a script."""
    got = {line["name"]: line["measured"] for line in run_python("frameworks", "start.py")}
    row("python_import_cpu", got["import trainmon"], "ms of processor, p50")
    row("python_memory", got["memory of 2,000,000 points logged"], "MB for 2,000,000 points", None, None, None, "<= 40 MB", 40)
    row("python_log_disabled", got["log to a disabled run"], "ns", None, None, None, "<= 100 ns", 100)


def lightning(row):
    """The callback's and the logger's part of a Lightning step; the budget is held against the times as they were taken."""
    got = {line["name"]: line["measured"] for line in run_python("frameworks", "lightning_step.py")}
    wrapper = "empty hook"
    row("python_lightning_mean", got["lightning_step_mean"], "us a step, mean", wrapper, got["lightning_wrapper_mean"], None, "<= 10 us", 10)
    row("python_lightning_p50", got["lightning_step_p50"], "us a step, p50", wrapper, got["lightning_wrapper_p50"])
    row("python_lightning_body", got["lightning_body"], "us, warm caches")
    row("python_lightning_share", got["lightning_step_share"], "% of a step", "ms a step", got["lightning_step_time"], None, "<= 1 %", 1)


def peers(bench, row):
    """Everything that installs; what could not be measured says why, and what took too long says for how many points it was made."""
    sys.path.insert(0, str(HERE))
    from trackers import TRACKERS

    ours, our_step = measured(bench, "peers", "trainmon"), lightning_of(bench, "trainmon")
    for name in TRACKERS:
        got = ours if name == "trainmon" else both(bench, "peers", name)
        title = f"peers: {name} {got.get('version', '')}"
        peer_rows(row, title, got, ours)
        if name != "sqlite rows":
            step_rows(row, title, our_step if name == "trainmon" else lightning_of(bench, name), our_step)
    nothing = lightning_of(bench, "none")
    if nothing:
        row("peers: no tracker", nothing["step_ms"], "ms, Lightning step")
        row("peers: no tracker", nothing["wrapper_us"], "us, timing of an empty hook")


def peer_rows(row, title, got, ours):
    """The rows of one tracker, each with ours beside it; a ratio stands where both are of the same number of points."""

    def beside(value, mine, unit, same=True):
        row(title, value, unit, "trainmon", mine, value / mine if same and mine > 0 else None)

    for key, what in (("one", "one scalar"), ("eight", "dict of 8")):
        for figure in ("p50", "mean") if key in got else ():
            beside(got[key][figure] / 1e3, ours[key][figure] / 1e3, f"us, {what} {figure}")
    for key, unit in (("start_ms", "ms to start"), ("import_ms", "ms to import"), ("import_mb", "MB of import")):
        if key in got:
            beside(got[key], ours[key], unit)
    if "bulk_s" in got and "bytes_a_point" in got:
        made, stored = got["bulk_points"], got["stored"]
        beside(got["bulk_s"], ours["bulk_s"], f"s for {made:,} to disk", made == MILLION)
        if made < MILLION:
            beside(got["bulk_s"] / made * MILLION, ours["bulk_s"], f"s for {MILLION:,}, extrapolated from {made:,}")
        if stored is not None and stored < 0.999 * made:  # a name that lies across two blocks of a file is not counted
            row(title, 100 * stored / made, f"% of {made:,} in the files after finish")
        beside(got["bytes_a_point"], ours["bytes_a_point"], "bytes/point")
        beside(got["memory_mb"], ours["memory_mb"], f"MB that {made:,} calls added", made == MILLION)
        beside(got["finish_ms"], ours["finish_ms"], f"ms to finish after {made:,}", made == MILLION)
        if got.get("read_s") is not None:
            beside(got["read_s"], ours["read_s"], f"s to read {stored or made:,} as {got['read_values']:,}", (stored or made) == MILLION)
    if "exit_ms" in got:
        beside(got["exit_ms"], ours["exit_ms"], "ms to exit after finish")
    if "hung" in got:
        row(title, PHASE_SECONDS, f"s, not ended then: {got['hung']}")
    if "broken" in got:
        print(f"tests/bench/run: {title}: {got['broken']}", file=sys.stderr)


def lightning_of(bench, tracker):
    """A tracker's part of a Lightning step; None, and a word why, where that fails."""
    folder = pathlib.Path(bench.path())
    folder.mkdir(parents=True)
    try:
        return run_python("peers", "lightning_peers.py", tracker, folder)[-1]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        print(f"tests/bench/run: peers: {tracker} in Lightning: {error}", file=sys.stderr)
        return None


def step_rows(row, title, got, ours):
    if not got or not ours:
        return
    units = {"us": "us a Lightning step, mean", "p50_us": "us a Lightning step, p50", "share": "% of a Lightning step", "step_ms": "ms, Lightning step"}
    for key, unit in units.items():
        row(title, got[key], unit, "trainmon", ours[key], got[key] / ours[key])
