# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon show RUN`: all about one run."""

from __future__ import annotations

import json
import shlex

from trainmon.cli import common, terminal
from trainmon.cli.runs import shown_status
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ("trainmon show 3f2a", "trainmon show my-run --epochs 100", "trainmon show my-run --json")
NOT_SHOWN = ("session_id", "epoch", "extra", "created_at")
CLASS_FIGURES = ("support", "precision", "recall", "sensitivity", "specificity", "f1_score", "accuracy", "auc_roc", "map50", "map50_95")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Shows settings, progress, values, epochs, alerts, critical conditions, events, classes and files of a run.", EXAMPLES)
    parser.add_argument("run", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="so many of the last epochs (default: 10; 0: none)")
    parser.add_argument("--events", type=int, default=10, metavar="N", help="so many of the last events (default: 10; 0: none)")
    parser.add_argument("--system", action="store_true", help="the figures of the machine (system/...) too")
    options = parser.parse(words)
    store = common.open_store(options)
    record = common.find_run(store, options.run)
    facts = collect(store, record)
    if options.json:
        common.print_json(facts)
        return 0
    style = Style(wanted=not options.no_color)
    for part in (_head, _settings, _values, _epochs, _conditions, _alerts, _classes, _events, _files):
        text = part(style, record, facts, options)
        if text:
            print(text)
    return 0


def collect(store: Any, record: Any) -> dict[str, Any]:
    """Reads all that there is about a run, as --json gives it."""
    classes = store.results("validation_results", record.id)
    newest = max((row["epoch"] for row in classes), default=None)
    images = store.images(record.id, limit=1)
    return {"store": store.path, "run": record.to_dict(), "metrics": store.metrics(record.id), "epochs": store.epochs(record.id),
            "alerts": store.alerts(record.id), "critical_conditions": store.conditions(record.id), "events": store.events(record.id),
            "classes": [row for row in classes if row["epoch"] == newest], "has_images": bool(images)}


def _title(style: Style, text: str) -> str:
    return f"\n{style.bold(text)}"


def _lines(style: Style, pairs: list[tuple[str, Any]], *, whole: bool = False) -> str:
    """Gives a line a pair, cut to the width; with `whole` what does not fit stands below its name, to be copied."""
    pairs = [(terminal.clean(name), value) for name, value in pairs]
    size = max((len(name) for name, _ in pairs), default=0)
    room = terminal.width() - size - 4
    lines = []
    for name, value in pairs:
        text = terminal.clean(value)
        if whole and terminal.columns_of(text) > room:
            lines += [f"  {style.dim(name)}", text]  # at the edge, so that no space comes into what the terminal breaks
        else:
            lines.append(f"  {style.dim(name.ljust(size))}  {terminal.cut(text, room)}")
    return "\n".join(lines)


def _head(style: Style, record: Any, _facts: Any, _options: Any) -> str:
    lines = [f"{style.bold(terminal.clean(record.name))}  {style.status(shown_status(record))}  {style.dim(record.id)}"]
    progress, epochs = record.progress, record.progress["epochs"] or record.epochs
    if record.percent or (record.status == "running" and (epochs or progress["batches"])):  # one that never says how far it is has no 0 %
        parts = [f"epoch {progress['epoch']}/{epochs}" if epochs else "", f"batch {progress['batch']}/{progress['batches']}" if progress["batches"] else "",
                 f"{terminal.duration(record.eta_seconds)} left" if record.eta_seconds and record.status == "running" else ""]
        lines.append(f"  {terminal.bar(record.percent / 100)} {record.percent:.0f} %  {'  '.join(part for part in parts if part)}".rstrip())
    if record.error_text:
        lines.append(f"  {style.red(terminal.clean(record.error_text))}")
    if record.unreachable:
        lines.append("  It runs on another host or in another container: only its last sign of life is known here.")
    return "\n".join(lines)


def _settings(style: Style, record: Any, facts: Any, _options: Any) -> str:
    pairs = [("made", f"{terminal.moment(record.created_at)} ({terminal.ago(record.created_at)})"),
             ("took", terminal.duration(record.duration_seconds) if record.duration_seconds else None),
             ("attempts", record.attempts if record.attempts > 1 else None), ("model", record.model_type), ("data set", record.dataset_name),
             ("tags", ", ".join(record.tags) or None), ("notes", record.notes), ("belongs to", record.parent_id), ("children", record.children or None),
             ("dropped points", record.dropped or None), ("model file", record.model_path)]
    text = _title(style, "Run") + "\n" + _lines(style, [(name, value) for name, value in pairs if value is not None])
    if record.config:
        texts = [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for name, value in sorted(record.config.items())]
        text += "\n" + _title(style, "Settings") + "\n" + _lines(style, texts)
    summary = facts["run"].get("summary")
    if summary:
        text += "\n" + _title(style, "Summary") + "\n" + _lines(style, [(name, terminal.number(value)) for name, value in sorted(summary.items())])
    return text


def _values(style: Style, record: Any, facts: Any, options: Any) -> str:
    final = [(name[6:], getattr(record, name)) for name in ("final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss")]
    pairs = [(f"final {name}", terminal.number(value)) for name, value in final if value is not None]
    if record.best_epoch is not None:
        pairs.append(("best epoch", f"{record.best_epoch} ({record.best_metric or 'by mAP50-95, else the lowest loss'})"))
    text = _title(style, "Results") + "\n" + _lines(style, pairs) if pairs else ""
    rows = [(name, terminal.number(metric["last"]), metric["step"], metric["count"]) for name, metric in facts["metrics"].items()
            if options.system or not name.startswith("system/")]
    if rows:
        table = terminal.table(style, ("METRIC", "LAST", "STEP", "POINTS"), rows, right=("LAST", "STEP", "POINTS"), give=("METRIC",), indent="  ")
        text += ("\n" if text else "") + _title(style, "Metrics") + "\n" + table
    return text or "\nNothing was logged yet."


def _epochs(style: Style, _record: Any, facts: Any, options: Any) -> str:
    rows = facts["epochs"][-options.epochs:] if options.epochs > 0 else []
    if not rows:
        return ""
    names = [name for name in rows[0] if name not in NOT_SHOWN and any(row[name] is not None for row in rows)]
    more = sorted({name for row in rows for name in row["extra"] if not isinstance(row["extra"][name], dict)})
    cells = [[row["epoch"], *(terminal.number(row[name]) for name in names), *(terminal.number(row["extra"].get(name)) for name in more)] for row in rows]
    head = ["EPOCH", *names, *more]
    left_out = len(facts["epochs"]) - len(rows)
    text = _title(style, "Epochs") + (style.dim(f"  (the last {len(rows)} of {len(facts['epochs'])})") if left_out else "")
    return text + "\n" + terminal.table(style, head, cells, right=head, indent="  ")


def _conditions(style: Style, _record: Any, facts: Any, _options: Any) -> str:
    rows = [(name, one["status"], terminal.number(one["sensitivity"]), terminal.number(one["threshold"])) for name, one in facts["critical_conditions"].items()]
    head = ("CLASS", "STATUS", "SENSITIVITY", "THRESHOLD")
    return _title(style, "Critical conditions") + "\n" + terminal.table(style, head, rows, right=head[2:], give=head[:1], indent="  ") if rows else ""


def _alerts(style: Style, _record: Any, facts: Any, _options: Any) -> str:
    rows = [(one["severity"], one["state"], one["step"], terminal.moment(one["time"]), one["rule"], one["message"]) for one in facts["alerts"][:20]]
    if not rows:
        return ""
    head = ("SEVERITY", "STATE", "STEP", "TIME", "RULE", "MESSAGE")
    return _title(style, "Alerts") + "\n" + terminal.table(style, head, rows, right=("STEP",), give=("RULE", "MESSAGE"), indent="  ")


def _classes(style: Style, _record: Any, facts: Any, _options: Any) -> str:
    rows = facts["classes"]
    if not rows:
        return ""
    names = [name for name in CLASS_FIGURES if any(row.get(name) is not None for row in rows)]
    head = ["CLASS", "GROUP", "SPLIT", *names]
    cells = [[row["class_name"], row["class_group"], row["dataset_split"], *(terminal.number(row.get(name)) for name in names)] for row in rows]
    title = _title(style, "Classes") + style.dim(f"  (epoch {rows[0]['epoch']})")
    return title + "\n" + terminal.table(style, head, cells, right=names, give=("CLASS", "GROUP"), indent="  ")


def _events(style: Style, _record: Any, facts: Any, options: Any) -> str:
    events = facts["events"][-options.events:] if options.events > 0 else []
    rows = [(terminal.moment(one["time"]), one["kind"], one["step"], one["message"]) for one in events]
    if not rows:
        return ""
    return _title(style, "Events") + "\n" + terminal.table(style, ("TIME", "WHAT", "STEP", "MESSAGE"), rows, right=("STEP",), give=("MESSAGE",), indent="  ")


def _files(style: Style, record: Any, facts: Any, options: Any) -> str:
    pairs = [("store", facts["store"])]
    if record.model_path:
        pairs.append(("model", record.model_path))
    if facts["has_images"]:
        pairs.append(("pictures", "in the store; `trainmon serve` shows them"))
    place = f" --store {shlex.quote(options.store)}" if options.store else ""
    pairs.append(("take along", f"trainmon export {record.id[:common.ID_START]} -o {record.id[:common.ID_START]}.csv{place}"))
    return _title(style, "Files") + "\n" + _lines(style, pairs, whole=True)
