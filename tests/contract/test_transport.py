#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Addresses, compression and methods on real sockets. Usage: test_transport.py PROGRAM [unittest arguments]"""
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import test_rest
from test_rest import PATIENCE, Server, WebSocket

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def status(host, port, name=None):
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    connection.request("GET", "/api/status", headers={"Host": name or f"[{host}]:{port}" if ":" in host else f"{name or host}:{port}"})
    code = connection.getresponse().status
    connection.close()
    return code


class Offered(WebSocket):
    """A client that offers permessage-deflate and can inflate what comes."""

    def __init__(self, port, extra=()):
        super().__init__(port, extra=(OFFER, *extra))
        self.takes_over = "server_no_context_takeover" not in self.head
        self.inflater = zlib.decompressobj(-15)

    def frame(self):
        first, second = self.take(2)
        size = second & 127
        size = int.from_bytes(self.take(2), "big") if size == 126 else int.from_bytes(self.take(8), "big") if size == 127 else size
        return first, self.take(size)

    def message(self):
        """Whether it was compressed, its size on the wire, the message."""
        first, data = self.frame()
        compressed = bool(first & 0x40)
        while not first & 0x80:
            first, more = self.frame()
            data += more
        if not self.takes_over:
            self.inflater = zlib.decompressobj(-15)
        text = self.inflater.decompress(data + b"\x00\x00\xff\xff") if compressed else data
        return compressed, len(data), json.loads(text)


class Transport(unittest.TestCase):
    def serve(self, *arguments):
        server = Server(*arguments)
        self.addCleanup(lambda: self.assertEqual(server.close(), 0))
        return server

    def messages(self, *arguments):
        """Messages of a session with long texts, as a client sees them that offers compression."""
        server = self.serve(*arguments)
        client = Offered(server.port)
        self.assertEqual(client.status, 101)
        self.assertEqual("permessage-deflate" in client.head, bool(arguments), client.head)
        found = [client.message()]
        self.assertEqual(found[0][2]["type"], "hello")
        code, reply = server.ask("POST", "/api/training/sessions", {"session_name": "word " * 400, "model_type": "a", "status": "running"})
        self.assertEqual(code, 201, reply)
        session = reply["session"]["id"]
        while found[-1][2]["type"] != "training_started":
            found.append(client.message())
        for number in range(40):
            time.sleep(0.02)
            server.ask("PATCH", f"/api/training/sessions/{session}", {"dataset_name": f"{number} " + "x" * 2000})
        server.ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed"})
        while found[-1][2]["type"] != "training_completed":
            found.append(client.message())
        client.close()
        last = found[-1][2]["session"]
        self.assertEqual((last["session_name"], last["dataset_name"]), ("word " * 400, "39 " + "x" * 2000))
        return found

    def test_no_compression_on_loopback(self):
        self.assertEqual({compressed for compressed, _, _ in self.messages()}, {False})

    def test_compression_by_flag(self):
        found = self.messages("--ws-compression")
        size = sum(size for _, size, _ in found)
        plain = sum(len(json.dumps(message)) for _, _, message in found)
        print(f"  permessage-deflate: {len(found)} messages, {plain} bytes as {size}", flush=True)
        self.assertIn(True, {compressed for compressed, _, _ in found})
        self.assertLess(size, plain / 3)

    def test_compression_elsewhere(self):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(file.name, 0o600)
        self.addCleanup(os.unlink, file.name)
        for arguments, wanted in (((), True), (("--no-ws-compression",), False)):
            server = self.serve("--host", "0.0.0.0", "--token-file", file.name, *arguments)
            client = Offered(server.port, extra=("Authorization: Bearer 0123456789abcdef0123456789abcdef",))
            self.assertEqual(client.status, 101)
            self.assertEqual(client.message()[0], wanted)
            client.close()

    @unittest.skipUnless(has_ipv6(), "this machine has no ::1")
    def test_ipv6(self):
        refused = False
        for _ in range(5):  # the port of 127.0.0.1 may be another program's
            server = self.serve("--host", "::1")
            self.assertEqual(status("::1", server.port), 200)
            try:
                status("127.0.0.1", server.port)
            except ConnectionRefusedError:
                refused = True
                break
        self.assertTrue(refused)

    def test_localhost_is_both(self):
        server = self.serve("--host", "localhost")
        self.assertEqual(status("127.0.0.1", server.port), 200)
        self.assertEqual(status("127.0.0.1", server.port, "localhost"), 200)
        self.assertEqual(status("127.0.0.1", server.port, "evil.test"), 403)
        if has_ipv6():
            self.assertEqual(status("::1", server.port), 200)
        done = subprocess.run([test_rest.PROGRAM, server.folder, "--host", "localhost", "--port", str(server.port)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is taken", done.stderr)

    @unittest.skipUnless(has_ipv6(), "this machine has no ::1")
    def test_localhost_needs_both_ports(self):
        for _ in range(5):  # the port of 127.0.0.1 may be another program's
            with socket.socket(socket.AF_INET6) as other:
                other.bind(("::1", 0))
                other.listen()
                port = other.getsockname()[1]
                done = subprocess.run([test_rest.PROGRAM, test_rest.new_folder(), "--host", "localhost", "--port", str(port)],
                                      capture_output=True, text=True, timeout=PATIENCE)
            if "of 127.0.0.1 is taken" not in done.stderr:
                break
        self.assertEqual(done.returncode, 1)
        self.assertIn("of ::1 is taken", done.stderr)

    def test_allow(self):
        server = self.serve()
        for method, path, allowed in (("DELETE", "/api/training/sessions", "GET, HEAD, POST"), ("POST", "/api/status", "GET, HEAD"),
                                      ("GET", "/api/training/pause", "POST"), ("POST", "/api/training/sessions/x", "GET, HEAD, PATCH, DELETE"),
                                      ("POST", "/", "GET, HEAD"), ("POST", "/ws", "GET, HEAD")):
            self.assertEqual(server.ask(method, path)[0], 405, (method, path))
            self.assertEqual(server.headers.get("allow"), allowed, (method, path))


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
