#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Exports of full data over REST (docs/reference/extract.md), asked of a real server on a real store. Usage: test_extract.py PROGRAM [unittest arguments]"""
import contextlib
import csv
import hashlib
import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import unittest

import test_rest
from test_rest import NOBODY, PATIENCE, Server

POINTS = 3_000_000
FORMATS = ["csv", "jsonl", "tensorboard"]


def library():
    return os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")


def make_session(folder, points):
    """The id, and for each format digest, size and lines of what tmon_extract gives."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "extract_session.py")
    out = subprocess.run([sys.executable, script, library(), folder, str(points), "0", "1", "2"], capture_output=True, text=True, check=True,
                         env=test_rest.child_environment()).stdout.split("\n")
    return out[0], [(digest, int(size), int(lines)) for digest, size, lines in (line.split() for line in out[1:4])]


def memory(process, field):
    with open(f"/proc/{process.pid}/status") as file:
        return int(next(line for line in file if line.startswith(field + ":")).split()[1]) << 10


class Extract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(library()):
            raise unittest.SkipTest("libtrainmon is not a shared library in this build")
        cls.server = Server()
        cls.small, cls.wanted = make_session(cls.server.folder, 3000)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0, "SIGTERM did not end the server cleanly"

    def path(self, query="", session=None):
        return f"/api/training/sessions/{session or self.small}/export{query}"

    def raw(self, request):
        """The whole answer to a request in plain text, until the server ends the connection."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) as client:
            client.sendall(request.encode())
            data = b""
            try:
                while more := client.recv(65536):
                    data += more
            except TimeoutError:
                return data, False
        return data, True

    def test_every_format_is_what_the_library_writes(self):
        for number, form in enumerate(FORMATS):
            status, body = self.server.ask("GET", self.path(f"?format={form}"))
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.assertEqual((status, hashlib.sha256(body).hexdigest(), len(body)), (200, *self.wanted[number][:2]))
            self.assertEqual(self.server.headers["transfer-encoding"], "chunked")
            self.assertNotIn("content-length", self.server.headers)
            self.assertTrue(self.server.headers["content-disposition"].startswith("attachment; filename=\""))
            self.assertEqual(self.server.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.server.headers["content-disposition"], f'attachment; filename="events.out.tfevents.0.{self.small}"')

    def test_the_text_reads_back(self):
        status, body = self.server.ask("GET", self.path())
        self.assertEqual((status, self.server.headers["content-type"]), (200, "text/csv; charset=utf-8"))
        rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
        self.assertEqual([(row["key"], int(row["step"]), float(row["value"])) for row in rows],
                         [(key, i, 1 / (1 + i)) for key in ("'=odd,\"name\"", "train/loss", "val/loss") for i in range(1000)])
        status, body = self.server.ask("GET", self.path("?format=jsonl&key=val/loss&key=train/loss"))
        lines = [json.loads(line) for line in body.decode().splitlines()]
        self.assertEqual([(line["key"], line["step"], line["value"]) for line in lines],
                         [(key, i, 1 / (1 + i)) for key in ("val/loss", "train/loss") for i in range(1000)])
        status, body = self.server.ask("GET", self.path("?exact=true&key=%3Dodd,%22name%22"))
        self.assertEqual(list(csv.DictReader(io.StringIO(body.decode(), newline="")))[7]["key"], '=odd,"name"')

    def test_epoch_rows(self):
        session = self.server.ask("POST", "/api/training/sessions", {"session_name": "rows", "status": "running"})[1]["session"]["id"]
        status, body = self.server.ask("GET", self.path("?what=epochs&format=jsonl", session))
        self.assertEqual((status, body), (200, b""))
        for epoch in range(3):
            self.assertLess(self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "box_loss": 0.5, "mine": epoch})[0], 300)
        status, body = self.server.ask("GET", self.path("?what=epochs", session))
        rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
        self.assertEqual([(row["epoch"], row["box_loss"], row["map50"], json.loads(row["extra"])["mine"]) for row in rows], [(str(i), "0.5", "", i) for i in range(3)])

    def test_wrong_questions_name_the_field(self):
        for query, status, field in (("?format=xml", 400, "format"), ("?what=all", 400, "what"), ("?exact=yes", 400, "exact"), ("?key=nothing", 404, "key"),
                                     ("?key=val/loss&key=val/loss", 400, "key"), ("?what=epochs&key=val/loss", 400, "key"),
                                     ("?" + "&".join(f"key=k{i}" for i in range(65)), 400, "key")):
            got, reply = self.server.ask("GET", self.path(query))
            self.assertEqual((got, reply["success"], reply["error"]["field"]), (status, False, field), query)
            self.assertEqual(self.server.headers["content-type"], "application/json; charset=utf-8")
            self.assertNotIn("content-disposition", self.server.headers)
        self.assertEqual(self.server.ask("GET", self.path("", NOBODY))[0], 404)
        self.assertEqual(self.server.ask("GET", self.path("", "..%2f..%2fetc"))[0] // 100, 4)
        self.assertEqual(self.server.ask("POST", self.path(), {})[0], 405)

    def test_the_connection_goes_on_or_ends_as_it_must(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        for _ in range(2):
            for method in ("GET", "HEAD"):
                connection.request(method, self.path("?format=jsonl"))
                reply = connection.getresponse()
                self.assertEqual((reply.status, len(reply.read())), (200, self.wanted[1][1] if method == "GET" else 0))
        connection.close()
        data, ended = self.raw(f"GET {self.path('?format=jsonl')} HTTP/1.0\r\nHost: 127.0.0.1:{self.server.port}\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        self.assertTrue(ended)
        self.assertNotIn(b"chunked", head.lower())
        self.assertEqual(hashlib.sha256(body).hexdigest(), self.wanted[1][0])

    def test_a_large_session_takes_no_memory_and_no_turns(self):
        session, wanted = make_session(self.server.folder, POINTS)
        self.assertEqual(wanted[0][2], POINTS + 1)
        before, alone = memory(self.server.process, "VmRSS"), self.sockets()
        highest, waits = 0, []
        for number, form in enumerate(FORMATS):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
            connection.request("GET", self.path(f"?format={form}", session))
            reply = connection.getresponse()
            digest, size, asked = hashlib.sha256(), 0, 0
            while piece := reply.read(1 << 20):
                digest.update(piece)
                size += len(piece)
                highest = max(highest, memory(self.server.process, "VmRSS"))
                if size // (8 << 20) > asked:
                    asked = size // (8 << 20)
                    begin = time.monotonic()
                    self.assertEqual(self.server.ask("GET", "/api/status")[0], 200)
                    waits.append(time.monotonic() - begin)
            connection.close()
            self.assertEqual((digest.hexdigest(), size), wanted[number][:2], form)
        print(f"memory grew by {(highest - before) >> 10} KiB; {len(waits)} others waited {statistics.median(waits) * 1000:.1f}, up to {max(waits) * 1000:.1f} ms")
        # A sanitizer keeps freed memory for a while; without one the growth is the server's own.
        if test_rest.child_environment() is None:
            self.assertLess(highest - before, 32 << 20)
        # Each export alone takes seconds. One of them may have met a machine that stood still.
        self.assertLess(statistics.median(waits), 1)
        self.stalled(session, alone)

    def until(self, what, check, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not check():
            self.assertLess(time.monotonic(), end, f"waited in vain until {what}")
            time.sleep(0.1)

    def sockets(self):
        folder = f"/proc/{self.server.process.pid}/fd"
        found = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found += os.readlink(os.path.join(folder, name)).startswith("socket:")
        return found

    def stalled(self, session, alone):
        """Who does not read is left after the usual patience, and no more than two are served at once."""
        clients = []
        for _ in range(2):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.server.port))
            client.sendall(f"GET {self.path('', session)} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n\r\n".encode())
            client.settimeout(PATIENCE)
            client.recv(1, socket.MSG_PEEK)  # it is being served
            clients.append(client)
        status, reply = self.server.ask("GET", self.path())
        self.assertEqual((status, reply["error"]["code"], self.server.headers["retry-after"]), (503, "busy", "5"))
        clients.pop().close()  # one that goes makes room at once
        self.until("there is room", lambda: self.server.ask("GET", self.path())[0] == 200, 10)
        client = clients.pop()
        # What reads on would be served on, so the end is seen from the other side.
        self.until("the other is left", lambda: self.sockets() <= alone)
        data = b""
        try:
            while more := client.recv(1 << 20):
                data += more
        except ConnectionResetError:
            pass
        client.close()
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        self.assertLess(len(data), 32 << 20)


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
