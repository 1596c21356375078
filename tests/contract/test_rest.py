#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The paths, errors and messages of docs/reference/rest.md, asked of a real server on a real store. Usage: test_rest.py PROGRAM"""
import atexit
import base64
import contextlib
import datetime
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = None
NOBODY = "00000000-0000-4000-8000-000000000000"
# How long something may take that nobody promised a time for: a disk's flush takes seconds at times, and a busy machine lets a process wait as long.
PATIENCE = 60


def direct_environment():
    """For programs that would ask a proxy for a server of this machine."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


def child_environment():
    """A child that loads an instrumented library but is not instrumented itself needs the sanitizer's runtime first."""
    for line in subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout.splitlines():
        if "libasan" in line or "libtsan" in line:
            return os.environ | {"LD_PRELOAD": line.split()[2], "ASAN_OPTIONS": "detect_leaks=0"}
    return None


def new_folder():
    """For a store; at the end of the tests it goes, and with it the rings of killed trainers that no server has adopted: they would fill the memory file system."""
    folder = tempfile.mkdtemp(prefix="trainmon-rest-")
    atexit.register(remove, folder)
    return folder


def remove(folder):
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(f"file:{folder}/trainmon.db?mode=ro", uri=True)) as store:
        for (path,) in store.execute("SELECT ring_path FROM writers WHERE ring_path IS NOT NULL").fetchall():
            with contextlib.suppress(OSError):
                os.unlink(path)
    shutil.rmtree(folder, ignore_errors=True)


class NotStarted(Exception):
    pass


class Server:
    def __init__(self, *arguments, store=None, environment=None, port=0):
        self.folder = store or new_folder()
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("MONITORING_", "WS_"))}
        self.process = subprocess.Popen([PROGRAM, self.folder, "--port", str(port), *arguments], stdout=subprocess.PIPE, text=True,
                                        env=variables | (environment or {}))
        line = self.process.stdout.readline()
        if not line:
            self.process.stdout.close()
            raise NotStarted(f"the server ended with {self.process.wait()}")
        self.port = int(line.rsplit(":", 1)[1].rstrip("/\n"))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def ask(self, method, path, body=None, headers=None, timeout=PATIENCE):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        self.headers = {k.lower(): v for k, v in reply.getheaders()}
        try:
            return reply.status, json.loads(data)
        except ValueError:
            return reply.status, data


class WebSocket:
    """As much of RFC 6455 as the tests need."""

    def __init__(self, port, origin=None, host=None, path="/ws", extra=()):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13", *extra]
        if origin:
            lines.append(f"Origin: {origin}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            more = self.socket.recv(4096)
            if not more:
                break
            self.data += more
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1").lower()
        self.status = int(head.split(b" ")[1]) if head else 0

    taken = 0  # bytes, of frames

    def take(self, count):
        while len(self.data) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.data += more
        out, self.data = self.data[:count], self.data[count:]
        self.taken += count
        return out

    def receive(self):
        while True:
            first, second = self.take(2)
            size = second & 127
            if size == 126:
                size = struct.unpack(">H", self.take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.take(8))[0]
            data = self.take(size)
            if first & 15 == 1:
                return json.loads(data)
            if first & 15 == 8:
                raise EOFError

    def wait_for(self, kind, session=None):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.receive()
            if message["type"] == kind and (session is None or message["session_id"] == session):
                return message
        raise AssertionError(f"no {kind}")

    def send(self, text):
        data = text.encode()
        mask = os.urandom(4)
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xFE]) + struct.pack(">H", len(data)) \
            if len(data) < 65536 else bytes([0x81, 0xFF]) + struct.pack(">Q", len(data))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def close(self):
        self.socket.close()


class Rest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0, "SIGTERM did not end the server cleanly"

    def ask(self, *arguments, **named):
        return self.server.ask(*arguments, **named)

    def refused(self, answer, status, field=None):
        self.assertEqual(answer[0], status, answer)
        self.assertIs(answer[1]["success"], False)
        self.assertEqual(set(answer[1]["error"]) - {"sessions"}, {"code", "message", "field"})
        self.assertEqual(answer[1]["error"]["field"], field, answer)

    def create(self, **fields):
        status, reply = self.ask("POST", "/api/training/sessions", {"session_name": "a", "model_type": "yolov8s", "status": "running"} | fields)
        self.assertEqual(status, 201, reply)
        return reply["session"]

    def test_session_life(self):
        session = self.create(epochs=10, batch_size=32, learning_rate=0.01, config={"imgsz": 640})
        self.assertEqual(session["config"], {"imgsz": 640})
        self.assertTrue(session["rest"])
        status, reply = self.ask("POST", "/api/training/metrics", {"session_id": session["id"], "epoch": 0, "total_loss": 1.5, "map50": 0.25, "mine": 7})
        self.assertEqual((status, reply["control"]), (201, "run"), reply)
        status, reply = self.ask("GET", f"/api/training/metrics?session_id={session['id']}")
        self.assertEqual((status, reply["count"]), (200, 1))
        self.assertEqual((reply["metrics"][0]["total_loss"], reply["metrics"][0]["extra"]["mine"]), (1.5, 7))
        status, reply = self.ask("GET", "/api/training/active")
        rows = {row["id"]: row for row in reply["sessions"]}
        self.assertEqual(rows[session["id"]]["latest_metrics"]["map50"], 0.25)
        status, reply = self.ask("PATCH", f"/api/training/sessions/{session['id']}", {"status": "completed", "final_map50": 0.892})
        self.assertEqual((status, reply["session"]["status"], reply["session"]["final_map50"], reply["control"]), (200, "completed", 0.892, "run"))
        status, reply = self.ask("GET", f"/api/training/sessions/{session['id']}")
        self.assertEqual((status, set(reply)), (200, {"success", "session", "metrics", "series", "validation_results", "ranks", "events"}))

    def test_progress_that_nobody_told_is_null(self):
        def progress(session):
            found = self.ask("GET", f"/api/training/sessions/{session['id']}")[1]["session"]["progress"]
            return found["epoch"], found["batch"], found["percent"]

        self.assertEqual(progress(self.create(epochs=10)), (0, None, 0))
        plain = self.create()
        self.assertEqual(progress(plain), (None, None, None))
        self.assertEqual(self.ask("POST", "/api/training/metrics", {"session_id": plain["id"], "epoch": 2, "total_loss": 1})[0], 201)
        self.assertEqual(progress(plain), (2, None, None))

    def test_progress_of_a_trainer_without_a_ring(self):
        websocket = WebSocket(self.server.port)
        websocket.receive()
        session = self.create(status="pending", epochs=4)["id"]
        path = f"/api/training/sessions/{session}"

        def tell(**progress):
            status, reply = self.ask("PATCH", path, {"progress": progress})
            self.assertEqual((status, reply.get("control")), (200, "run"), reply)
            found = reply["session"]["progress"]
            return [reply["session"]["status"]] + [found[name] for name in ("epoch", "epochs", "batch", "batches", "images", "percent")]

        self.assertEqual(tell(batch=5, batches=20, images=160), ["running", 0, 4, 5, 20, 160, 6.25])
        self.assertEqual(websocket.wait_for("training_started", session)["session"]["progress"]["images"], 160)
        self.assertEqual(tell(batch=20, images=640, epoch=None), ["running", 0, 4, 20, 20, 640, 25])
        self.assertEqual(self.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 0, "total_loss": 1})[0], 201)
        self.assertEqual(tell(), ["running", 1, 4, 0, 20, 640, 25])
        self.assertEqual(tell(batch=10), ["running", 1, 4, 10, 20, 640, 37.5])
        self.assertEqual(tell(epoch=1), ["running", 1, 4, 10, 20, 640, 37.5])
        self.assertEqual(tell(epoch=2), ["running", 2, 4, 0, 20, 640, 50])
        current = self.ask("GET", f"/api/metrics/current?session_id={session}")[1]
        self.assertEqual((current["epoch"], current["batch"], current["total_batches"]), (2, 0, 20))
        self.assertEqual([event["kind"] for event in self.ask("GET", path)[1]["events"]], ["created", "started"])
        for wrong in (5, [], {"batch": -1}, {"batch": 1.5}, {"images": "many"}, {"fraction": 1.1}, {"fraction": -0.1}, {"step": 3}):
            self.refused(self.ask("PATCH", path, {"progress": wrong}), 400, "progress")
        bare = self.create(progress={"fraction": 0.25})
        self.assertEqual((bare["progress"]["epoch"], bare["progress"]["percent"]), (None, 25))
        websocket.close()

    def test_list(self):
        self.create(status="failed")
        status, reply = self.ask("GET", "/api/training/sessions?status=failed&limit=1&offset=0")
        self.assertEqual((status, reply["count"], reply["sessions"][0]["status"]), (200, 1, "failed"))
        self.refused(self.ask("GET", "/api/training/sessions?limit=0"), 400, "limit")
        self.refused(self.ask("GET", "/api/training/sessions?limit=1001"), 400, "limit")
        self.refused(self.ask("GET", "/api/training/sessions?offset=-1"), 400, "offset")
        self.refused(self.ask("GET", "/api/training/sessions?status=odd"), 400, "status")

    def test_bad_bodies_name_the_field(self):
        for field, value in (("epochs", "ten"), ("epochs", -1), ("epochs", 1.5), ("session_name", 5), ("config", []), ("status", "odd"),
                             ("started_at", "yesterday"), ("final_map50", "x"), ("nonsense", 1)):
            self.refused(self.ask("POST", "/api/training/sessions", {field: value}), 400, field)
        session = self.create()["id"]
        self.refused(self.ask("POST", "/api/training/metrics", {"epoch": 1, "loss": 1}), 400, "session_id")
        self.refused(self.ask("POST", "/api/training/metrics", {"session_id": session, "loss": 1}), 400, "epoch")
        self.refused(self.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 1, "loss": "x"}), 400, "loss")
        self.refused(self.ask("POST", "/api/training/metrics", {"session_id": NOBODY, "epoch": 1, "loss": 1}), 404, "session_id")
        for body in (b"{", b"[]", b"{} x", b"\xff", b"[" * 1000):
            self.refused(self.ask("POST", "/api/training/sessions", body, {"Content-Type": "application/json"}), 400)
        self.refused(self.ask("POST", "/api/training/sessions", b"{}", {"Content-Type": "text/plain"}), 415)
        self.refused(self.ask("POST", "/api/training/sessions", b" " * (1 << 20) + b"{}", {"Content-Type": "application/json"}), 413)

    def test_paths(self):
        self.refused(self.ask("GET", "/api/nothing"), 404)
        self.refused(self.ask("DELETE", "/api/status"), 405)
        self.refused(self.ask("GET", "/api/training/pause"), 405)
        self.refused(self.ask("GET", f"/api/training/sessions/{NOBODY}"), 404, "session_id")
        self.refused(self.ask("GET", "/api/training/sessions/x"), 400, "session_id")
        self.refused(self.ask("GET", "/../../etc/passwd"), 404)
        self.refused(self.ask("GET", "/%2e%2e/etc/passwd"), 404)
        self.assertEqual(self.ask("HEAD", "/api/status"), (200, b""))

    def test_series_rules(self):
        session = self.create()["id"]
        base = f"/api/series?session_id={session}"
        self.refused(self.ask("GET", base), 400, "key")
        self.refused(self.ask("GET", base + "&key=none"), 404, "key")
        self.refused(self.ask("GET", base + "&key=a&width=0"), 400, "width")
        self.refused(self.ask("GET", base + "&key=a&axis=x"), 400, "axis")
        self.refused(self.ask("GET", base + "&key=a&from=5&to=4"), 400, "to")
        self.refused(self.ask("GET", base + "&key=a&attempts=x"), 400, "attempts")
        self.refused(self.ask("GET", base + "&key=a" * 65), 400, "key")

    def test_short_sessions_are_announced(self):
        websocket = WebSocket(self.server.port)
        self.assertEqual(websocket.receive()["type"], "hello")
        time.sleep(0.3)
        ids = []
        for number in range(12):
            first = ("pending", "running", "completed")[number % 3]
            status, reply = self.ask("POST", "/api/training/sessions", {"session_name": f"short {number}", "model_type": "a", "status": first})
            self.assertEqual(status, 201, reply)
            ids.append(reply["session"]["id"])
            if first == "pending":
                time.sleep(0.15 if number else 0)
                self.ask("PATCH", f"/api/training/sessions/{ids[-1]}", {"status": "running"})
            last = "failed" if number == 1 else "completed"
            self.ask("PATCH", f"/api/training/sessions/{ids[-1]}", {"status": last})
        heard = {one: [] for one in ids}
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and any(len(kinds) < 3 for kinds in heard.values()):
            message = websocket.receive()
            if message.get("session_id") in heard and message["type"] != "training_progress":
                heard[message["session_id"]].append(message["type"])
        wanted = [["training_started", "resync", "training_failed" if number == 1 else "training_completed"] for number in range(12)]
        self.assertEqual([heard[one] for one in ids], wanted)
        websocket.close()

    def test_history_rules(self):
        session = self.create()["id"]
        base = f"/api/metrics/history?session_id={session}"
        self.assertEqual(self.ask("GET", base), (200, {"success": True, "session_id": session, "history": {}}))
        self.refused(self.ask("GET", base + "&key=none"), 404, "key")
        self.refused(self.ask("GET", base + "&limit=0"), 400, "limit")
        self.refused(self.ask("GET", base + "&limit=100000" + "".join(f"&key={i}" for i in range(6))), 400, "limit")
        self.refused(self.ask("GET", base + "&key=a" * 65), 400, "key")
        self.refused(self.ask("GET", base + "&key=" + "a" * 300), 400, "key")

    def test_control(self):
        first, second = self.create()["id"], self.create()["id"]
        answer = self.ask("POST", "/api/training/pause")
        self.refused(answer, 409, "session_id")
        self.assertLessEqual({first, second}, {row["id"] for row in answer[1]["error"]["sessions"]})
        for verb, control in (("pause", "pause"), ("resume", "run"), ("stop", "stop")):
            status, reply = self.ask("POST", f"/api/training/{verb}", {"session_id": first})
            self.assertEqual((status, reply.get("control"), reply.get("session_id")), (200, control, first), reply)
        status, reply = self.ask("POST", "/api/training/metrics", {"session_id": first, "epoch": 1, "loss": 1})
        self.assertEqual(reply["control"], "stop")

    def test_host_and_origin(self):
        own = f"127.0.0.1:{self.server.port}"
        self.refused(self.ask("GET", "/api/status", headers={"Host": f"evil.example:{self.server.port}"}), 403)
        self.refused(self.ask("GET", "/", headers={"Host": "127.0.0.1:1"}), 403)
        self.refused(self.ask("POST", "/api/training/sessions", {}, {"Origin": "http://evil.example"}), 403)
        self.refused(self.ask("POST", "/api/training/sessions", {}, {"Origin": "null"}), 403)
        self.refused(self.ask("GET", "/api/status", headers={"Sec-Fetch-Site": "cross-site"}), 403)
        self.refused(self.ask("GET", "/events", headers={"Origin": "http://evil.example"}), 403)
        self.assertEqual(self.ask("POST", "/api/training/sessions", {}, {"Origin": f"http://{own}"})[0], 201)
        for websocket, status in ((WebSocket(self.server.port, origin="http://evil.example"), 403),
                                  (WebSocket(self.server.port, host="evil.example"), 403),
                                  (WebSocket(self.server.port, path="/api/status"), 400),
                                  (WebSocket(self.server.port, origin=f"http://{own}"), 101)):
            self.assertEqual(websocket.status, status)
            websocket.close()

    def test_odd_upgrades_do_no_harm(self):
        for name in ("h2c", "nonsense", "websocketx"):
            connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)
            connection.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nConnection: Upgrade\r\nUpgrade: {name}\r\n\r\n".encode())
            with contextlib.suppress(ConnectionError):  # it may just close
                connection.recv(4096)
            connection.close()
        self.assertEqual(self.ask("GET", "/api/status")[0], 200)

    def test_page_and_headers(self):
        status, page = self.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn(b"<html", page)
        self.assertIn("default-src 'none'", self.server.headers["content-security-policy"])
        self.assertEqual(self.server.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.server.headers["cache-control"], "no-cache")
        tag = self.server.headers["etag"]
        self.assertEqual(self.ask("GET", "/", headers={"If-None-Match": tag})[0], 304)
        self.assertEqual(gzip.decompress(self.ask("GET", "/", headers={"Accept-Encoding": "gzip"})[1]), page)
        for path in ("/training", "/training-monitor", "/models", f"/session/{NOBODY}"):
            self.assertEqual(self.ask("GET", path), (200, page))

    def test_live_messages(self):
        websocket = WebSocket(self.server.port)
        hello = websocket.receive()
        self.assertEqual((hello["type"], hello["updates_per_second"]), ("hello", 10))
        time.sleep(0.3)
        session = self.create()["id"]
        self.assertEqual(websocket.wait_for("training_started", session)["session"]["id"], session)
        self.ask("POST", "/api/training/pause", {"session_id": session})
        self.assertEqual(websocket.wait_for("training_progress", session)["session"]["control"], "pause")
        self.ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed"})
        self.assertEqual(websocket.wait_for("training_completed", session)["session"]["status"], "completed")
        websocket.send(json.dumps({"type": "subscribe", "sessions": [NOBODY]}))
        websocket.send("not json")
        websocket.send(json.dumps({"type": "subscribe", "tables": []}))
        websocket.wait_for("subscribed")  # and so what was sent before it is heard
        self.create()
        websocket.socket.settimeout(1)
        with self.assertRaises(TimeoutError):
            websocket.receive()
        websocket.close()

    def test_points_of_a_trainer(self):
        trainer = os.path.join(os.path.dirname(PROGRAM), "../minimal/minimal")
        if not os.path.exists(trainer):
            self.skipTest("examples/minimal is not built")
        websocket = WebSocket(self.server.port)
        websocket.receive()
        subprocess.run([trainer, self.server.folder], check=True, timeout=2 * PATIENCE, stdout=subprocess.DEVNULL, env=child_environment())
        status, reply = self.ask("GET", "/api/training/sessions?limit=1000")
        session = next(row for row in reply["sessions"] if not row["rest"])
        status, reply = self.ask("GET", f"/api/training/sessions/{session['id']}")
        self.assertEqual(status, 200)
        key = reply["series"][0]
        status, series = self.ask("GET", f"/api/series?session_id={session['id']}&key={key['key'].replace('/', '%2F')}")
        self.assertEqual(status, 200, series)
        columns = series["series"][0]
        self.assertEqual(sum(columns["count"]), key["count"])
        self.assertEqual({len(columns[name]) for name in set(columns) - {"key", "bucket_width"}}, {len(columns["count"])})
        status, history = self.ask("GET", f"/api/metrics/history?session_id={session['id']}&limit=5")
        self.assertEqual(history["history"][key["key"]][-1]["value"], key["last_value"])
        status, current = self.ask("GET", f"/api/metrics/current?session_id={session['id']}")
        self.assertEqual(current["points"][key["key"]]["value"], key["last_value"])
        self.assertLessEqual({"epoch", "batch", "total_batches", "metrics", "system", "timestamp", "session"}, set(current))
        websocket.close()

    def test_killed_trainer_streams_then_is_interrupted(self):
        library = os.path.join(os.path.dirname(PROGRAM), "../../lib/libtrainmon.so")
        if not os.path.exists(library):
            self.skipTest("libtrainmon is not a shared library in this build")
        websocket = WebSocket(self.server.port)
        websocket.receive()
        trainer = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainer.py"), library, self.server.folder],
                                   stdout=subprocess.PIPE, text=True, env=child_environment())
        self.addCleanup(trainer.kill)
        session = trainer.stdout.readline().strip()
        websocket.wait_for("training_started", session)
        steps, said, count, first, late = [], [], 0, 0, True
        end = time.monotonic() + PATIENCE
        # For two seconds by the clock of the server. The value is the time at which it was logged; after a machine has stood still a stream may be late, but it catches up.
        while (late or said[-1] - said[0] < 2) and time.monotonic() < end:
            message = websocket.wait_for("metrics_update", session)
            point = message["points"]["train/loss"]
            late = time.time() - point["value"] >= 1
            steps.append(point["step"])
            said.append(datetime.datetime.fromisoformat(message["timestamp"].replace("Z", "+00:00")).timestamp())
            first = first or point["count"]
            count += point["count"]
            self.assertEqual(message["metrics"]["loss"]["train"], point["value"])
        self.assertFalse(late, "points come a second late")
        self.assertEqual(steps, sorted(steps))
        # Ten a second; one that was held up may be close to the next.
        self.assertLessEqual(len(steps), 10 * (said[-1] - said[0]) + 4)
        self.assertEqual(count - first, steps[-1] - steps[0])
        trainer.kill()
        trainer.wait()
        trainer.stdout.close()
        self.assertEqual(websocket.wait_for("training_failed", session)["session"]["status"], "interrupted")
        websocket.close()

    def test_large_message_ends_the_socket(self):
        websocket = WebSocket(self.server.port)
        websocket.receive()
        with self.assertRaises((EOFError, ConnectionError)):
            websocket.send("x" * 70000)
            while True:
                websocket.receive()
        websocket.close()

    def test_events(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        connection.request("GET", "/events")
        reply = connection.getresponse()
        self.assertEqual((reply.status, reply.getheader("content-type")), (200, "text/event-stream"))
        line = reply.readline()
        self.assertEqual(json.loads(line.removeprefix(b"data: "))["type"], "hello")
        connection.close()


class Limits(unittest.TestCase):
    def test_websockets(self):
        server = Server(environment={"WS_MAX_CONNECTIONS": "2"})
        sockets = [WebSocket(server.port) for _ in range(3)]
        self.assertEqual([s.status for s in sockets], [101, 101, 503])
        for s in sockets:
            s.close()
        self.assertEqual(server.close(), 0)

    def test_token(self):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(file.name, 0o600)
        server = Server("--token-file", file.name)
        token = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
        self.assertEqual(server.ask("GET", "/api/status")[0], 401)
        self.assertEqual(server.ask("GET", "/")[0], 200)
        self.assertEqual(server.ask("GET", "/api/status", headers=token)[0], 200)
        self.assertEqual(server.ask("POST", "/api/login", {"token": "wrong"})[0], 401)
        self.assertEqual(server.ask("POST", "/api/login", {"token": token["Authorization"][7:]})[0], 200)
        cookie = server.headers["set-cookie"]
        self.assertIn("HttpOnly", cookie)
        self.assertIn("SameSite=Strict", cookie)
        self.assertEqual(server.ask("GET", "/api/status", headers={"Cookie": cookie.split(";")[0]})[0], 200)
        refused = WebSocket(server.port)
        self.assertEqual(refused.status, 401)
        refused.close()
        server.close()
        os.unlink(file.name)

    def test_read_only_and_public(self):
        server = Server()
        server.close()
        server = Server("--read-only", store=server.folder)
        self.assertEqual(server.ask("POST", "/api/training/sessions", {})[0], 403)
        self.assertEqual(server.ask("GET", "/api/training/sessions")[0], 200)
        server.close()
        done = subprocess.run([PROGRAM, server.folder, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--token-file", done.stderr)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
