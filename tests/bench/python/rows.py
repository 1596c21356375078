# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The rows of tests/bench/run about the Python package: its budgets, and the same questions asked of other trackers."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def run_python(kind, script, *arguments, seconds=200):
    """Runs a script of this folder with the package of this tree, in an environment of tests/python/environment; gives what it prints as JSON."""
    python = output_of(ROOT / "tests/python/environment", kind) + "/bin/python"
    variables = {**os.environ, "PYTHONPATH": output_of(ROOT / "tests/python/package"), "TRACKIO_DIR": str(arguments[1]) if len(arguments) > 1 else ""}
    command = [python, HERE / script, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables, timeout=seconds)
    if done.returncode != 0:
        raise OSError(f"{script} {' '.join(map(str, arguments))}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measured(bench, kind, tracker):
    folder = pathlib.Path(bench.path())
    folder.mkdir(parents=True)
    return run_python(kind, "measure.py", tracker, folder)


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
    row("python_million", ours["bulk_s"], f"s for {ours['bulk_points']:,} to disk", "SQLite rows", rows["bulk_s"], rows["bulk_s"] / ours["bulk_s"])
    row("python_bytes", ours["bytes_a_point"], "bytes/point", "SQLite rows", rows["bytes_a_point"], rows["bytes_a_point"] / ours["bytes_a_point"])
    row("python_read", ours["read_s"] * 1e3, f"ms, {ours['bulk_points']:,} as 1,000", "SQLite rows", rows["read_s"] * 1e3, rows["read_s"] / ours["read_s"])
    row("python_exit", ours["finish_ms"], "ms, finish", peer, torch["finish_ms"], None, "<= 100 ms", 100)


def peers(bench, row):
    """Everything that installs, in one table each; what could not be measured says why."""
    sys.path.insert(0, str(HERE))
    from trackers import TRACKERS

    keys = (("one", "us, one scalar p50"), ("eight", "us, dict of 8 p50"), ("bulk_s", "s"), ("bytes_a_point", "bytes/point"), ("read_s", "s to read back"),
            ("start_ms", "ms to start"), ("finish_ms", "ms to finish"), ("import_ms", "ms to import"), ("import_mb", "MB of import"))
    ours = measured(bench, "peers", "trainmon")
    for name in TRACKERS:
        try:
            got = ours if name == "trainmon" else measured(bench, "peers", name)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            print(f"tests/bench/run: peers: {name}: {error}", file=sys.stderr)
            continue
        for key, unit in keys:
            value, mine = (x[key]["p50"] / 1e3 if isinstance(x[key], dict) else x[key] for x in (got, ours))
            if value is None:
                continue
            what = f"s for {got['bulk_points']:,}" if key == "bulk_s" else unit
            row(f"peers: {name} {got['version']}", value, what, "trainmon", mine, value / mine if mine else None)
