# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon serve`: opens the page of a store, by the server program of the package."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

from trainmon.cli import common, ports, terminal
from trainmon.cli.places import MAKES, trouble_of
from trainmon.store import default_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ("trainmon serve --open", "trainmon serve runs --port 9000", "trainmon serve --read-only --port 0",
            "trainmon serve --host 0.0.0.0 --token-file trainmon.token")
TEXT = """Serves the page, REST (/api/...), WebSocket (/ws) and events (/events) of a store, until Ctrl-C, and prints the address.
Further options go to the server program as they are: --host H, --port N (0 takes a free one; may be repeated), --token-file F,
--read-token-file F, --allow-host NAME, --allow-frame ORIGIN, --recipes FILE, --alert-rules FILE, --parent PID, --read-only, --ws-compression,
--no-ws-compression."""
WITH_VALUE = ("--host", "--port", "--token-file", "--read-token-file", "--allow-host", "--recipes", "--alert-rules", "--allow-frame", "--parent")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, TEXT, EXAMPLES, usage="trainmon serve [STORE] [--port N] [--open] [...]")
    parser.add_argument("--open", action="store_true", help="open the address in the browser")
    parser.add_argument("folder", nargs="?", metavar="STORE", help="folder of the store: one that is there, or an empty folder")
    own, passed, folder = split(words)
    options = parser.parse(own + ([folder] if folder else []))
    host, wanted = _addresses(passed)
    named = options.folder or options.store
    store = named or (None if os.environ.get("MONITORING_DB_PATH") and not os.environ.get("TRAINMON_DIR") else default_folder())
    if store:
        _check_store(store, named=bool(named))
    for port in wanted:
        _check_port(host, port)
    arguments = [*([store] if store else []), *passed]
    if os.environ.get("SSH_CONNECTION") and host in ("127.0.0.1", "localhost") and wanted and wanted[0]:
        print(f"From your own machine: ssh -L {wanted[0]}:127.0.0.1:{wanted[0]} {os.uname().nodename}, then the address below", file=sys.stderr)
    if options.open or options.json:
        return _run_beside(arguments, options)
    from trainmon.server import serve

    return serve(arguments)


def split(words: list[str]) -> tuple[list[str], list[str], str | None]:
    """Gives our own words, those of the server program, and the folder."""
    own, passed, folder, rest = [], [], None, list(words)
    while rest:
        word = rest.pop(0)
        if word in ("--open", "--json", "--no-color", "--help", "-h"):
            own.append(word)
        elif word == "--store" or word.startswith("--store="):
            own += [word, *(rest[:1] if word == "--store" else [])]
            rest = rest[1:] if word == "--store" else rest
        elif word in WITH_VALUE:
            passed += [word, *rest[:1]]
            rest = rest[1:]
        elif word.startswith("--") and "=" in word and word.split("=")[0] in WITH_VALUE:
            passed += word.split("=", 1)
        elif word.startswith("-") or folder is not None:
            passed.append(word)
        else:
            folder = word
    return own, passed, folder


def _addresses(passed: list[str]) -> tuple[str, list[int]]:
    """Gives host and ports as the server program will see them; what it does not understand is left to it."""
    values: dict[str, list[str]] = {"--host": [], "--port": []}
    for name, value in itertools.pairwise(passed):
        values.get(name, []).append(value)
    host = values["--host"][-1] if values["--host"] else os.environ.get("MONITORING_HOST") or "127.0.0.1"
    texts = values["--port"] or [os.environ.get("MONITORING_PORT") or "8000"]
    return host, [int(text) for text in texts if text.isdigit() and int(text) < 65536]


def _check_store(store: str, *, named: bool) -> None:
    """Lets the server make the default store, which may be served before the first training; one that is named and not there may be a slip."""
    trouble, path = trouble_of(store), os.path.abspath(store)
    if trouble is None:
        return
    empty = os.path.isdir(path) and trouble.absent and not os.listdir(path)
    if trouble.absent and (empty or not named):
        print(f"trainmon: there is no store at {terminal.clean(path)} yet: it is made now, and the page shows trainings once they begin there", file=sys.stderr)
        return
    hint = trouble.hint
    if hint == MAKES:
        hint = f"a training makes it with trainmon.init(dir={store!r}); to serve it before that, make an empty folder: mkdir -p {store}"
        hint = "a training makes it with trainmon.init(); name the folder of a store, or an empty one" if os.path.isdir(path) else hint
    raise common.CommandError(trouble.message, hint)


def _check_port(host: str, port: int) -> None:
    if port == 0 or ports.is_free(host, port):
        return
    owner = ports.owner(port)
    status = ports.ask_status("127.0.0.1", port)
    if status:
        raise common.CommandError(f"port {port} is taken: trainmon serves {status.get('store')} there already{owner and f' ({owner})'}",
                                  f"open http://127.0.0.1:{port}/, or take another one: --port {port + 1}, or --port 0 for any")
    raise common.CommandError(f"port {port} is taken by {owner or 'another program'}", f"take another one: --port {port + 1}, or --port 0 for any")


def _run_beside(arguments: list[str], options: Any) -> int:
    """Runs the server as a child, so that its address can be read."""
    import signal
    import threading

    from trainmon.server import ADDRESS, program

    child = subprocess.Popen([program(), *arguments, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    opened = False
    try:
        assert child.stdout is not None
        for line in child.stdout:
            found = ADDRESS.search(line)
            if options.json and found:
                common.print_json({"url": found[0], "pid": child.pid})
            else:
                print(line, end="")
            sys.stdout.flush()
            if found and options.open and not opened:
                import webbrowser

                opened = True
                threading.Thread(target=webbrowser.open, args=(found[0],), daemon=True).start()
        return child.wait()
    except KeyboardInterrupt:  # the child had it too
        child.wait(30)
        return 0
    finally:
        if child.poll() is None:
            child.terminate()
