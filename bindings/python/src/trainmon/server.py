# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The page of a store, served by a process of its own."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

PROGRAM = Path(__file__).parent / "bin" / "trainmon-dashboard"
START_SECONDS = 30  # of a slow disk; one that can't start ends at once
ADDRESS = re.compile(r"^https?://\S+/$", re.MULTILINE)  # a line of its own: errors name addresses too
PACKAGES = {"libwebsockets": "libwebsockets-dev", "libz": "zlib1g", "libsqlite3": "libsqlite3-0", "libcjson": "libcjson-dev"}


def program() -> str:
    """Gives the path of the server program; FileNotFoundError when this build has none, or when libraries that it needs are not on this machine."""
    if not PROGRAM.is_file():
        raise FileNotFoundError(f"the server program is not there: {PROGRAM}; was the package built completely?")
    missing = _missing_libraries()
    if missing:
        packages = [PACKAGES.get(name.split(".so")[0], name) for name in missing]
        raise FileNotFoundError(f"the page needs {', '.join(missing)}. On Debian and Ubuntu: sudo apt-get install {' '.join(packages)}; "
                                "where that brings another version, install trainmon anew from its repository")
    return str(PROGRAM)


def _missing_libraries() -> list[str]:
    """Asks the dynamic linker, as ldd does, what it would not find."""
    found = subprocess.run([PROGRAM], env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL, text=True, check=False)
    return re.findall(r"^\s*(\S+) => not found", found.stdout, re.M)


class Dashboard:
    """A server that was started here: `url`, `stop()`. It ends with this process, however that ends, unless it is kept; what it says is in logs/dashboard.log
    of the store.
    """

    def __init__(self, store: str, *, port: int = 8000, host: str = "127.0.0.1", keep: bool = False, frames: Iterable[str] = (),
                 arguments: tuple[str, ...] = ()) -> None:
        """Starts the server; a port that is taken is replaced by a free one. `frames`: up to 8 origins, such as http://localhost:8888, whose pages may show
        it in a frame. OSError: it can't be started, or an origin is none.
        """
        options = [word for origin in frames for word in ("--allow-frame", origin)]
        if not keep:
            options += ["--parent", str(os.getpid())]
        self._owner = os.getpid()
        log = Path(store) / "logs" / "dashboard.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        for choice in (port, 0):
            with log.open("wb") as output:
                command = [program(), store, "--host", host, "--port", str(choice), *options, *arguments]
                self.process: Any = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
            self.url = self._wait_for_address(log)
            if self.url:
                break
            self.stop()
        else:
            raise OSError(f"the dashboard did not start: {log.read_text(errors='replace').strip() or 'it said nothing'}")
        if not keep:
            atexit.register(self.stop)

    def _wait_for_address(self, log: Path) -> str:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            found = ADDRESS.search(log.read_text(errors="replace"))
            if found:
                return found[0]
            if ended:
                break
            time.sleep(0.01)
        return ""

    def stop(self) -> None:
        """Ends the server."""
        if os.getpid() == self._owner and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


def serve(arguments: list[str]) -> int:
    """Becomes the server program: what `trainmon serve` does."""
    sys.stdout.flush()
    os.execv(program(), ["trainmon serve", *arguments])
