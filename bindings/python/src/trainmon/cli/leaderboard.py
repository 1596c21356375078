# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon leaderboard`: ranks runs by a metric."""

from __future__ import annotations

from trainmon.cli import common, terminal
from trainmon.cli.terminal import Style

EXAMPLES = ("trainmon leaderboard", "trainmon leaderboard --metric val_loss",
            "trainmon leaderboard --metric train/acc --mode last --direction higher --any-status")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Ranks completed runs by a metric.", EXAMPLES)
    parser.add_argument("--metric", help="name of a metric or column of the epochs (default: map50_95)")
    parser.add_argument("--mode", choices=("best", "last", "smoothed", "final"), default="best", help="which value of it counts (default: best)")
    parser.add_argument("--direction", choices=("auto", "higher", "lower"), default="auto", help="which values are better (default: told from the name)")
    parser.add_argument("--any-status", action="store_true", help="runs of every status, not only completed ones")
    parser.add_argument("--model", help="only those of this type of model")
    parser.add_argument("--dataset", help="only those of this data set")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many, 1 to 50 (default: 20)")
    options = parser.parse(words)
    if not 1 <= options.limit <= 50:
        parser.error("--limit is 1 to 50")
    store = common.open_store(options)
    answer = store.leaderboard(options.metric, mode=options.mode, direction=options.direction, limit=options.limit, any_status=options.any_status,
                               model_type=options.model, dataset_name=options.dataset)
    if options.json:
        common.print_json(answer)
        return 0
    style = Style(wanted=not options.no_color)
    print(f"{style.bold(terminal.clean(answer['metric']))}, {answer['mode']} value, {answer['order']} is better")
    if not answer["leaderboard"]:
        print(f"No {'' if options.any_status else 'completed '}run has a value of {terminal.clean(answer['metric'])}. --metric NAME ranks by another one"
              f"{'' if options.any_status else ', --any-status takes all runs'}; `trainmon show RUN` tells what a run logged.")
        return 0
    rows = []
    for row in answer["leaderboard"]:
        at = f"epoch {row['epoch']}" if row["epoch"] is not None else f"step {row['step']}" if row["step"] is not None else ""
        fps = row["throughput_fps"]
        rows.append((row["rank"], terminal.number(row["value"]), at, row["id"][:common.ID_START], row["session_name"], row["status"], row["model_type"],
                     row["dataset_name"], "" if fps is None else f"{terminal.number(fps)}/s"))
    head = ("RANK", "VALUE", "AT", "ID", "NAME", "STATUS", "MODEL", "DATA SET", "SPEED")
    print(terminal.table(style, head, rows, right=("RANK", "VALUE", "SPEED"), give=("NAME", "MODEL", "DATA SET")))
    if answer["total"] > len(rows):
        print(style.dim(f"{len(rows)} of {answer['total']}; --limit N shows more, at most 50."))
    return 0
