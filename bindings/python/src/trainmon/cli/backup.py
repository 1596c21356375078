# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon backup FOLDER`: copies a store that is in use."""

from __future__ import annotations

import os
import time

from trainmon.cli import common, terminal

EXAMPLES = ("trainmon backup /backup/trainmon-monday", "trainmon --store runs backup runs-copy")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    text = "Copies the store into a new one, while trainings go on writing it. Live runs are `interrupted` in the copy."
    parser = common.Parser(command, text, EXAMPLES)
    parser.add_argument("folder", metavar="FOLDER", help="where the copy comes; must not be there, or be empty")
    options = parser.parse(words)
    if os.path.exists(options.folder) and (not os.path.isdir(options.folder) or os.listdir(options.folder)):
        raise common.CommandError(f"{options.folder} is there already", "name a folder that is not there")
    store = common.open_store(options)
    progress, total, begin = terminal.Progress("backup"), [0], time.monotonic()

    def tell(done: int, all_bytes: int) -> None:
        total[0] = all_bytes
        progress.show(done / all_bytes if all_bytes else None, f"{terminal.size_of(done)} of {terminal.size_of(all_bytes)}")

    try:
        store.backup(options.folder, tell)
    finally:
        progress.close()
    folder, seconds = os.path.abspath(options.folder), time.monotonic() - begin
    if options.json:
        common.print_json({"store": store.path, "folder": folder, "bytes": total[0], "seconds": seconds})
    else:
        print(f"{terminal.clean(store.path)} is copied to {terminal.clean(folder)} ({terminal.size_of(total[0])} in {terminal.duration(seconds)})")
        print(f"Look at it: trainmon runs --store {terminal.clean(options.folder)}")
    return 0
