# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon leaderboard`: ranks runs by a metric."""

from __future__ import annotations

from trainmon.cli import common, terminal
from trainmon.cli.metrics import listed, names_of, no_metric
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ("trainmon leaderboard", "trainmon leaderboard --metric val_loss",
            "trainmon leaderboard --metric train/acc --mode last --direction higher --any-status")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Ranks completed runs by a metric.", EXAMPLES)
    parser.add_argument("--metric", help="name of a metric or column of the epochs (default: map50_95; where no run has that, the metric "
                        "that most declare as their best)")
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
    answer, why = _ranked(store, options)
    if options.json:
        common.print_json(answer)
        return 0
    style, name = Style(wanted=not options.no_color), terminal.clean(answer["metric"])
    asked = terminal.clean(options.metric or name)  # one that fills a column is ranked under the column's name
    print(f"{style.bold(asked)}{'' if asked == name else f' ({name})'}, {answer['mode']} value, {answer['order']} is better{why}")
    if not answer["leaderboard"]:
        print(terminal.clean(_nothing(store, options, asked)))
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


def _rank(store: Any, options: Any, metric: str | None, direction: str) -> dict[str, Any]:
    answer: dict[str, Any] = store.leaderboard(metric, mode=options.mode, direction=direction, limit=options.limit, any_status=options.any_status,
                                               model_type=options.model, dataset_name=options.dataset)
    return answer


def _chosen(store: Any, options: Any) -> list[Any]:
    found: list[Any] = store.runs(limit=1000, status=None if options.any_status else "completed", model_type=options.model, dataset_name=options.dataset)
    return found


def _ranked(store: Any, options: Any) -> tuple[dict[str, Any], str]:
    """Ranks by the metric that is named, else by the default one, else by what most runs declare as their best, and says why it is that one."""
    answer = _rank(store, options, options.metric, options.direction)
    if answer["leaderboard"]:
        return answer, ""
    if options.metric is not None:
        if not store.leaderboard(options.metric, limit=1, any_status=True)["leaderboard"]:
            raise no_metric(options.metric, names_of(store, (record.id for record in store.runs(limit=1000))), "no run has a")
        return answer, ""
    records = _chosen(store, options)
    declared = [record.best_metric for record in records if record.best_metric]
    if not declared:
        return answer, ""
    best = max(dict.fromkeys(declared), key=declared.count)
    metric, _, order = best.rpartition(":")
    direction = options.direction if options.direction != "auto" else "lower" if order == "min" else "higher"
    why = f" (no --metric: {declared.count(best)} of {len(records)} runs declare it as their best, none has {answer['metric']})"
    answer = _rank(store, options, metric, direction)
    return answer, why


def _nothing(store: Any, options: Any, metric: str) -> str:
    names = names_of(store, (record.id for record in _chosen(store, options)))
    status, all_runs = ("", "") if options.any_status else ("completed ", "; --any-status takes all runs")
    if not names:
        return f"No {status}run has a metric at all{all_runs}."
    return f"No {status}run has a value of {metric}. --metric NAME ranks by another one{all_runs}. They have: {listed(names)}."
