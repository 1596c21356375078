# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Who is at a port, and whether it is a server of ours: plain sockets, nothing else is needed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS = 5.0
MOST = 1 << 20  # bytes of an answer that are read


def is_free(host: str, port: int) -> bool:
    """True when a server could listen there; also when the host is not one of this machine, which the server itself tells better."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return True
    for family, kind, protocol, _name, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
                probe.listen(1)
            except OSError as error:
                import errno

                if error.errno == errno.EADDRINUSE:
                    return False
    return True


def owner(port: int) -> str:
    """Gives "NAME, process PID" of who listens at a port, "" when this user can't see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table) as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for pid in os.listdir("/proc") if inodes else ():
        if not pid.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                        with open(f"/proc/{pid}/comm") as name:
                            return f"{name.read().strip()}, process {pid}"
    return ""


def _request(host: str, port: int, path: str, headers: tuple[str, ...], *, whole: bool) -> bytes:
    with socket.create_connection((host, port), SECONDS) as connection:
        connection.settimeout(SECONDS)
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while (whole or b"\r\n\r\n" not in answer) and len(answer) < MOST:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        return answer


def ask_status(host: str, port: int) -> dict[str, Any]:
    """Gives what our server at a port says at /api/status; {} when it is none of ours or does not answer. One with a token gives {"token": True}."""
    try:
        answer = _request(host, port, "/api/status", ("Connection: close",), whole=True)
    except OSError:
        return {}
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 401 " in head.split(b"\r\n")[0] and b'"no_token"' in body:
        return {"token": True}
    if b"chunked" in head.lower():
        body = _dechunk(body)
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and "version" in status and "active_sessions" in status else {}


def _dechunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size.split(b";")[0] or b"0", 16)
        whole, body = whole + body[:count], body[count + 2:]
        if not count:
            break
    return whole


def websocket_answer(host: str, port: int) -> str:
    """Gives the first line of the answer to a WebSocket handshake at /ws ("HTTP/1.1 101 ..." when it works), or what went wrong."""
    key = base64.b64encode(os.urandom(16)).decode()
    try:
        headers = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
        answer = _request(host, port, "/ws", headers, whole=False)
    except OSError as error:
        return str(error)
    return answer.split(b"\r\n")[0].decode("latin-1") or "no answer"
