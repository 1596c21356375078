# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The program `trainmon`: looks at the runs of a store, steers them, brings data in and out. One module a command; only that one is imported."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Command: its module, what it does.
COMMANDS = {
    "serve": ("serve", "open the page of a store"),
    "doctor": ("doctor", "find out what is wrong with this machine or store"),
    "runs": ("runs", "list runs"),
    "show": ("show", "show all about a run"),
    "compare": ("compare", "compare runs: settings and metrics"),
    "leaderboard": ("leaderboard", "rank runs by a metric"),
    "tail": ("tail", "follow a run as it goes on"),
    "pause": ("control", "let a live run wait"),
    "resume": ("control", "let a paused run go on"),
    "stop": ("control", "end a live run after its step"),
    "rename": ("edit", "give a run another name"),
    "note": ("edit", "write a note on a run"),
    "tags": ("edit", "show or change the tags of a run"),
    "export": ("export", "write the data of a run as CSV, JSON Lines or for TensorBoard"),
    "import": ("import_runs", "take in runs of TensorBoard, wandb, MLflow or CSV files"),
    "delete": ("delete", "delete runs"),
    "backup": ("backup", "copy a store that is in use"),
}
INTERRUPTED = 130  # as shells say it of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (None: that of the process) and gives the exit code: 0 done, 1 it could not be done, 2 the command line is wrong."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if hasattr(sys.stdout, "reconfigure"):  # letters that the output's encoding lacks, and bytes of names that are none, are no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    given, words = _leading_options(words)
    if not words or words[0] in ("-h", "--help", "help"):
        if words[:1] == ["help"] and len(words) > 1 and words[1] in COMMANDS:
            return main([words[1], "--help"])
        print(_usage(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        import trainmon

        print(f"trainmon {trainmon.__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _unknown(words[0], "--json" in [*given, *words])
    return _run(words[0], [*given, *words[1:]])


def _leading_options(words: list[str]) -> tuple[list[str], list[str]]:
    """Takes the options that all commands have and that stand before the command."""
    at = 0
    while at < len(words) and (words[at] in ("--json", "--no-color", "--store") or words[at].startswith("--store=")):
        at += 2 if words[at] == "--store" else 1
    return words[:at], words[at:]


def _run(command: str, words: list[str]) -> int:
    import importlib
    import os

    from trainmon.cli import common

    module = importlib.import_module(f"trainmon.cli.{COMMANDS[command][0]}")
    try:
        try:
            code = module.run(command, words)
        except Exception as error:
            code = common.tell_failure(error, as_json="--json" in words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    return int(code or 0)


def _unknown(word: str, as_json: bool) -> int:
    import difflib

    from trainmon.cli import common

    near = difflib.get_close_matches(word, COMMANDS, 2)
    hint = f"did you mean {' or '.join(near)}?" if near else "trainmon --help lists the commands"
    common.print_error(f"there is no command {word!r}", hint, as_json)
    return 2


def _usage() -> str:
    lines = [f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join([
        "usage: trainmon COMMAND [...]", "", "Records of trainings: look at them, steer them, take them along.", "", *lines, "",
        "Each command has --help with examples, --store DIR (else $TRAINMON_DIR, else ./trainmon) and --json.", "",
        "  trainmon serve --open          watch trainings in the browser",
        "  trainmon runs --active         what is going on now",
        "  trainmon tail RUN              follow one here",
    ])
