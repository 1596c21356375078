#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Tokens, rates and log files of a real server. Usage: test_access.py PROGRAM [unittest arguments]"""
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import test_rest
from test_rest import PATIENCE, Server, WebSocket

WRITE = "0123456789abcdef0123456789abcdef"
READ = "fedcba9876543210fedcba9876543210"
SESSION = {"session_name": "a", "model_type": "b", "status": "running"}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z "


def token_file(case, text, mode=0o600):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text + "\n")
    os.chmod(file.name, mode)
    case.addCleanup(os.unlink, file.name)
    return file.name


def end_group(number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Access(unittest.TestCase):
    def serve(self, *arguments, **named):
        server = Server(*arguments, **named)
        self.addCleanup(lambda: server.process.poll() is None and self.assertEqual(server.close(), 0))
        return server

    def guarded(self):
        return self.serve("--token-file", token_file(self, WRITE), "--read-token-file", token_file(self, READ))

    def log(self, server, name, lines):
        """The lines of a log file once there are so many; they are written within a second."""
        path = os.path.join(server.folder, "logs", name)
        end = time.monotonic() + PATIENCE
        found = []
        while len(found) < lines and time.monotonic() < end:
            time.sleep(0.05)
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    found = file.read().split("\n")[:-1]  # what is behind the last line feed is being written
        self.assertEqual(len(found), lines, found)
        for line in found:
            self.assertRegex(line, TIME)
        return [line.partition(" ")[2] for line in found]

    def test_rights(self):
        server = self.guarded()
        ask = server.ask
        self.assertEqual(ask("GET", "/api/status")[0], 401)
        self.assertEqual(ask("GET", "/api/status", headers=bearer("x" * 32))[0], 401)
        self.assertEqual(ask("GET", "/api/status", headers=bearer(READ))[1]["read_only"], True)
        self.assertEqual(ask("GET", "/api/status", headers=bearer(WRITE))[1]["read_only"], False)
        status, reply = ask("POST", "/api/training/sessions", SESSION, bearer(READ))
        self.assertEqual((status, reply["error"]["code"]), (403, "read_only"))
        self.assertEqual(ask("POST", "/api/training/pause", {}, bearer(READ))[0], 403)
        self.assertEqual(ask("POST", "/api/training/sessions", SESSION, bearer(WRITE))[0], 201)
        self.assertEqual(ask("POST", "/api/training/sessions", SESSION)[0], 401)
        self.assertEqual(ask("GET", "/api/training/sessions", headers=bearer(READ))[1]["total"], 1, "only the write with the right went through")

    def test_cookies(self):
        server = self.guarded()
        ask = server.ask
        cookies = {}
        for token, right in ((WRITE, "write"), (READ, "read")):
            self.assertEqual(ask("POST", "/api/login", {"token": token}), (200, {"success": True, "right": right}))
            said = server.headers["set-cookie"]
            self.assertIn("HttpOnly", said)
            self.assertNotIn(token, said)
            cookies[right] = {"Cookie": said.partition(";")[0]}
        self.assertEqual(ask("POST", "/api/login", {"token": WRITE[:-1]})[0], 401)
        self.assertEqual([ask("GET", "/api/status", headers=cookies[right])[1]["read_only"] for right in ("read", "write")], [True, False])
        self.assertEqual(ask("POST", "/api/training/sessions", SESSION, cookies["read"])[0], 403)
        self.assertEqual(ask("POST", "/api/training/sessions", SESSION, cookies["write"])[0], 201)
        for right, cookie in cookies.items():
            websocket = WebSocket(server.port, extra=[f"Cookie: {cookie['Cookie']}"])
            self.assertEqual(websocket.status, 101, right)
            websocket.close()
        self.assertEqual(WebSocket(server.port).status, 401)

    def test_metrics_log(self):
        server = self.serve()
        _, reply = server.ask("POST", "/api/training/sessions", SESSION | {"session_name": 'my "one"'})
        session = reply["session"]["id"]
        time.sleep(1.2) # the server has seen that it runs
        for epoch in (1, 2):
            body = {"session_id": session, "epoch": epoch, "val_loss": 0.5, "kappa score": epoch}
            self.assertEqual(server.ask("POST", "/api/training/metrics", body)[0], 201)
        self.assertEqual(server.ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed", "final_loss": 0.25})[0], 200)
        lines = self.log(server, "metrics.log", 3)
        head = f'session={session} name="my\\x20\\x22one\\x22"'
        self.assertEqual(lines[0], f"epoch {head} epoch=1 val_loss=0.5 kappa\\x20score=1")
        self.assertEqual(lines[1], f"epoch {head} epoch=2 val_loss=0.5 kappa\\x20score=2")
        self.assertRegex(lines[2], "^" + re.escape(f"finished {head} status=completed best_epoch=1 ") + ".*final_loss=0.25$")
        self.assertEqual(server.ask("PATCH", f"/api/training/sessions/{session}", {"notes": "seen"})[0], 200)
        self.assertEqual(server.ask("POST", "/api/training/sessions", SESSION | {"status": "failed"})[0], 201)
        self.assertIn("status=failed", self.log(server, "metrics.log", 4)[3])

    def test_alert_rules_of_a_file(self):
        rules = [{"name": "high", "type": "threshold", "metric": "val_loss", "above": 2, "actions": ["command"], "command": ["/bin/true"]}]
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            json.dump(rules, file)
        self.addCleanup(os.unlink, file.name)
        for server in (self.serve("--alert-rules", file.name), self.serve(environment={"MONITORING_ALERT_RULES": file.name})):
            self.assertEqual([rule["name"] for rule in server.ask("GET", "/api/training/alert-rules")[1]["rules"]], ["high"])
        folder = test_rest.new_folder()
        with open(file.name, "w", encoding="utf-8") as out:
            json.dump([rules[0] | {"hold": "long"}], out)
        for path, words in ((file.name, (file.name, "hold")), ("/nowhere/rules.json", ("/nowhere/rules.json", "No such file"))):
            done = subprocess.run([test_rest.PROGRAM, folder, "--port", "0", "--alert-rules", path], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            for word in words:
                self.assertIn(word, done.stderr)

    def test_bad_tokens_are_refused_at_start(self):
        folder = test_rest.new_folder()
        good = token_file(self, WRITE)
        for arguments in (("--read-token-file", good), ("--token-file", good, "--read-token-file", good),
                          ("--token-file", good, "--read-token-file", token_file(self, READ, 0o644)),
                          ("--token-file", good, "--read-token-file", token_file(self, "short"))):
            done = subprocess.run([test_rest.PROGRAM, folder, "--port", "0", *arguments], capture_output=True, text=True, timeout=PATIENCE)
            self.assertIn(done.returncode, (1, 2), arguments)
            self.assertIn("token", done.stderr)

    def test_frames(self):
        origins = [f"http://{i}{'x' * 200}.example:{8880 + i}" for i in range(7)] + ["http://localhost:8888"]
        closed, open_to = self.serve(), self.serve(*[word for origin in origins for word in ("--allow-frame", origin)])
        for path in ("/", "/session/1", "/api/status", "/api/nothing", "/nothing.js"):
            closed.ask("GET", path)
            self.assertEqual(closed.headers["x-frame-options"], "DENY", path)
            self.assertIn("frame-ancestors 'none'", closed.headers["content-security-policy"])
        usual = closed.headers["content-security-policy"]
        for path in ("/", "/session/1"):
            for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}):
                self.assertEqual(open_to.ask("GET", path, headers=headers)[0], 200)
                self.assertNotIn("x-frame-options", open_to.headers)
                self.assertEqual(open_to.headers["content-security-policy"], usual.replace("frame-ancestors 'none'", "frame-ancestors " + " ".join(origins)))
        for path in ("/api/status", "/api/nothing", "/nothing.js"):
            open_to.ask("GET", path)
            self.assertEqual((open_to.headers["x-frame-options"], open_to.headers["content-security-policy"]), ("DENY", usual), path)
        self.assertEqual(open_to.ask("GET", "/api/status", headers={"Sec-Fetch-Site": "cross-site"})[0], 403, "a frame gives its page no right to read")
        self.assertEqual(open_to.ask("POST", "/api/training/sessions", SESSION, {"Origin": "http://localhost:8888"})[0], 403)

    def test_bad_frames_are_refused_at_start(self):
        folder = test_rest.new_folder()
        for origins, word in ((["*"], '"*"'), (["http://localhost:8888/lab"], "/lab"), (["http://a; script-src *"], "script-src"),
                              (["http://[::1]:8888"], "::1"), ([""], '""'), (["http://a"] * 9, "more than 8")):
            arguments = [word for origin in origins for word in ("--allow-frame", origin)]
            done = subprocess.run([test_rest.PROGRAM, folder, "--port", "0", *arguments], capture_output=True, text=True, timeout=PATIENCE)
            self.assertIn(done.returncode, (1, 2), origins)
            self.assertIn(word, done.stderr)

    def test_it_ends_with_its_parent(self):
        code = ("import os, subprocess, sys, time\n"
                "child = subprocess.Popen([*sys.argv[1:], '--parent', str(os.getpid())], stdout=subprocess.PIPE, start_new_session=True)\n"
                "print(child.pid, child.stdout.readline().decode(), end='', flush=True)\n"
                "if os.fork() == 0: os.close(1)  # holds what it inherited\n"
                "time.sleep(600)")
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(number=number):
                folder = test_rest.new_folder()
                with subprocess.Popen([sys.executable, "-c", code, test_rest.PROGRAM, folder, "--port", "0"], stdout=subprocess.PIPE, text=True,
                                      start_new_session=True) as owner:
                    self.addCleanup(end_group, owner.pid)
                    pid, address = owner.stdout.readline().split()
                    port = int(address.rstrip("/").rsplit(":", 1)[1])
                    ended = os.pidfd_open(int(pid))
                    self.addCleanup(os.close, ended)
                    self.assertEqual(select.select([ended], [], [], 0.7)[0], [], "its parent lives")
                    owner.send_signal(number)
                    self.assertEqual(select.select([ended], [], [], PATIENCE)[0], [ended], "it outlived its parent")
                    self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port))

    def test_only_the_parent_may_be_named(self):
        folder = test_rest.new_folder()
        for pid in ("0", "1", str(os.getppid()), "99999999999", "self"):
            done = subprocess.run([test_rest.PROGRAM, folder, "--port", "0", "--parent", pid], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, pid)
            self.assertIn("--parent", done.stderr)

    def test_reads_are_rationed(self):
        server = self.serve()
        client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        count = 6000
        request = f"HEAD /api/training/active HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        data, seen = b"", {}
        begin = time.monotonic()
        for start in range(0, count, 50):
            client.sendall(request * 50)
            while sum(seen.values()) < start + 50:
                head, mark, rest = data.partition(b"\r\n\r\n")
                if mark:
                    status = int(head.split()[1])
                    seen[status] = seen.get(status, 0) + 1
                    self.assertEqual(status == 429, b"retry-after: 1\r" in head.lower() + b"\r")
                    data = rest
                else:
                    more = client.recv(1 << 16)
                    self.assertTrue(more, "the connection ended")
                    data += more
            if 429 in seen:
                break
        took = time.monotonic() - begin
        # 2,000 at once and 1,000 a second: a machine that is too slow to ask faster proves nothing.
        if took < 3 or 429 in seen:
            self.assertIn(429, seen)
            self.assertLessEqual(seen[200], 2000 + 1000 * (took + 1))
        self.assertGreaterEqual(seen[200], 2000 if 429 in seen else count)
        other = socket.socket()
        other.bind(("127.0.0.9", 0))
        other.connect(("127.0.0.1", server.port))
        other.sendall(request)
        self.assertIn(b" 200 ", other.recv(4096), "another client has its own")
        for one in (client, other):
            one.close()

    def test_writes_are_noted(self):
        server = self.guarded()
        ask = server.ask
        session = ask("POST", "/api/training/sessions", SESSION, bearer(WRITE))[1]["session"]["id"]
        ask("POST", "/api/login", {"token": "wrong"})
        ask("POST", "/api/training/sessions", SESSION, bearer(READ))
        ask("GET", "/api/status", headers=bearer(WRITE))
        ask("PATCH", "/api/training/sessions/%22%5C%20%C3%A4%E2%80%A8%20status%3D200", {"epochs": 1}, bearer(WRITE))
        ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed"}, bearer(WRITE))
        lines = self.log(server, "monitoring.log", 4)
        start = "write peer=127.0.0.1 right="
        self.assertEqual(lines, [
            start + 'write method=POST path="/api/training/sessions" status=201',
            start + 'none method=POST path="/api/login" status=401',
            start + r'write method=PATCH path="/api/training/sessions/\x22\x5c\x20\xc3\xa4\xe2\x80\xa8\x20status=200" status=400',
            start + f'write method=PATCH path="/api/training/sessions/{session}" status=200'])

    def test_streams_are_noted(self):
        server = self.serve()
        websocket = WebSocket(server.port)
        self.assertEqual(websocket.receive()["type"], "hello")
        events = socket.create_connection(("127.0.0.1", server.port))
        events.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        self.assertIn(b" 200 ", events.recv(4096))
        websocket.close()
        self.log(server, "websocket.log", 3)
        events.close()
        lines = self.log(server, "websocket.log", 4)
        self.assertEqual(lines, ["connect peer=127.0.0.1 number=1 kind=websocket", "connect peer=127.0.0.1 number=2 kind=events",
                                 "disconnect peer=127.0.0.1 number=1", "disconnect peer=127.0.0.1 number=2"])

    def test_logs_are_set_aside(self):
        folder = test_rest.new_folder()
        logs = os.path.join(folder, "logs")
        os.mkdir(logs)
        for name, size in (("monitoring.log", (10 << 20) + 7), ("monitoring.log.1", 5)):
            with open(os.path.join(logs, name), "w", encoding="ascii") as file:
                file.truncate(size)
        server = self.serve(store=folder)
        self.assertEqual(server.ask("POST", "/api/training/sessions", SESSION)[0], 201)
        self.assertEqual(server.close(), 0)
        self.assertEqual(os.path.getsize(os.path.join(logs, "monitoring.log.1")), (10 << 20) + 7)
        self.assertEqual(len(self.log(server, "monitoring.log", 1)), 1)
        self.assertEqual(sorted(os.listdir(logs)), ["monitoring.log", "monitoring.log.1"])

    def test_a_log_that_can_not_be_written_harms_nobody(self):
        folder = test_rest.new_folder()
        logs = os.path.join(folder, "logs")
        os.mkdir(logs)
        other = os.path.join(folder, "other")
        with open(other, "w", encoding="ascii") as file:
            file.write("mine")
        os.symlink(other, os.path.join(logs, "monitoring.log"))
        os.mkfifo(os.path.join(logs, "websocket.log"))
        server = self.serve(store=folder)
        websocket = WebSocket(server.port)
        self.assertEqual(websocket.receive()["type"], "hello")
        self.assertEqual(server.ask("POST", "/api/training/sessions", SESSION)[0], 201)
        websocket.close()
        time.sleep(0.5)
        self.assertEqual(server.ask("GET", "/api/status")[0], 200)
        self.assertEqual(server.close(), 0)
        with open(other, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine", "a link leads the log elsewhere")

    def test_a_server_that_only_reads_keeps_no_log(self):
        first = self.serve()
        self.assertEqual(first.ask("POST", "/api/training/sessions", SESSION | {"status": "completed"})[0], 201)
        self.assertEqual(first.close(), 0)
        before = sorted(os.listdir(os.path.join(first.folder, "logs")))
        server = self.serve("--read-only", store=first.folder)
        websocket = WebSocket(server.port)
        websocket.close()
        self.assertEqual(server.close(), 0)
        self.assertEqual(sorted(os.listdir(os.path.join(first.folder, "logs"))), before)


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
