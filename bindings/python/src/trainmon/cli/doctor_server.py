# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Checks of the doctor: the server program, the port, WebSockets."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading

from trainmon import server
from trainmon._core import ffi, lib
from trainmon.cli import ports
from trainmon.cli.doctor import REINSTALL, Check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

HOST = "127.0.0.1"
START_SECONDS = 30


def program(_options: Any) -> Iterator[Check]:
    """Starts the server on a store that is made for it, and asks it."""
    try:
        path = server.program()
    except FileNotFoundError as error:
        yield Check("server program", "fail", str(error), REINSTALL)
        return
    with tempfile.TemporaryDirectory(prefix="trainmon-doctor-") as folder:
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(("MONITORING_", "WS_"))}
        try:
            process = subprocess.Popen([path, os.path.join(folder, "store"), "--host", HOST, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, env=quiet, cwd=folder)
        except OSError as error:
            yield Check("server program", "fail", f"{path} can't be started: {error.strerror}", f"chmod +x {path}, or install the package again")
            return
        limit = threading.Timer(START_SECONDS, process.kill)
        limit.start()
        try:
            yield from _asked(path, process)
        finally:
            limit.cancel()
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _asked(path: str, process: Any) -> Iterator[Check]:
    line = process.stdout.readline()
    found = server.ADDRESS.search(line)
    if not found:
        said = process.stderr.read().strip().splitlines()
        missing = "install the libraries that it names: ldd tells which" if "shared librar" in "".join(said) else f"{path} --version tells more"
        yield Check("server program", "fail", f"did not start: {said[-1] if said else 'it said nothing'}", missing)
        return
    port = int(found[0].rstrip("/").rsplit(":", 1)[1])
    status = ports.ask_status(HOST, port)
    own = ffi.string(lib.tmon_version()).decode()
    if not status:
        yield Check("server program", "fail", f"started at {found[0]}, but does not answer",
                    "does a firewall or security module hold up connections to 127.0.0.1?")
        return
    if status["version"] != own:
        yield Check("server program", "warn", f"is version {status['version']}, the package {own}", REINSTALL)
    else:
        yield Check("server program", "ok", "starts and answers", path=path)
    yield _websocket("WebSocket", port)


def _websocket(name: str, port: int) -> Check:
    answer = ports.websocket_answer(HOST, port)
    if " 101 " in answer:
        return Check(name, "ok", f"ws://{HOST}:{port}/ws answers")
    if " 401 " in answer:
        return Check(name, "ok", f"ws://{HOST}:{port}/ws asks for its token")
    if " 503 " in answer:
        return Check(name, "warn", "no more connections are taken", "close pages, or raise WS_MAX_CONNECTIONS")
    return Check(name, "fail", f"ws://{HOST}:{port}/ws: {answer}", "a proxy or firewall may stand between: the page then gets its figures by /events instead")


def port(options: Any) -> Iterator[Check]:
    """Whether the page's port is free, or ours."""
    number, name = options.port, f"port {options.port}"
    if ports.is_free(HOST, number):
        yield Check(name, "ok", "free: trainmon serve can take it")
        return
    owner, status = ports.owner(number), ports.ask_status(HOST, number)
    if not status:
        yield Check(name, "fail", f"taken by {owner or 'a program of another user'}, which is no server of trainmon",
                    f"trainmon serve --port {number + 1 if number < 65535 else number - 1}, or end that program: ss -ltnp 'sport = :{number}'", owner=owner)
        return
    what = f"trainmon {status['version']} serves {status.get('store')}" if "version" in status else "a server of trainmon that wants its token"
    own = ffi.string(lib.tmon_version()).decode()
    if status.get("version", own) != own:
        yield Check(name, "warn", f"{what} ({owner}), another version than this one", "end it and start it again: trainmon serve", owner=owner)
    else:
        yield Check(name, "ok", f"{what} ({owner or 'another user'})", owner=owner)
    yield _websocket("WebSocket there", number)


CHECKS = (program, port)
