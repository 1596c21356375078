#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Clients that stall, trickle, come in crowds or storms, against a real server and a real trainer: what the server owes the others.
Usage: test_pressure.py PROGRAM [unittest arguments]"""
import contextlib
import json
import os
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import unittest

import test_rest
from test_rest import PATIENCE, Server, WebSocket, child_environment

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
LONG = os.environ.get("LONG") == "1"
# A machine that stands still for a moment spoils a measurement, never several in a row; a server that holds others up spoils all.
ATTEMPTS = 4


def say(text):
    print(f"  {text}", flush=True)


def instrumented():
    """Sanitizers keep freed memory and shadow the rest, so their figures of memory say nothing."""
    return b"libasan" in subprocess.run(["ldd", test_rest.PROGRAM], capture_output=True).stdout


def memory(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def sockets(server):
    """Of its descriptors those of connections: how many files of the store are open at a moment is the store's affair."""
    found = 0
    for name in os.listdir(f"/proc/{server.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/{server.process.pid}/fd/{name}").startswith("socket:")
    return found


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def queued(client, port):
    """Bytes that wait in the system for a client that does not read."""
    peer = f":{client.getsockname()[1]:04X}"
    for words in map(str.split, read("/proc/net/tcp").splitlines()):
        if words[1].endswith(f":{port:04X}") and words[2].endswith(peer):
            return int(words[4].partition(":")[0], 16)
    return 0


def until(what, probe, limit=PATIENCE):
    end = time.monotonic() + limit
    while True:
        last = probe()
        if last:
            return last
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain until {what}; last: {last}")
        time.sleep(0.05)


def deaf(port, request, address="127.0.0.1"):
    """A connection with small buffers that sends a request and then never reads. To the server each address is another client."""
    client = socket.socket()
    client.bind((address, 0))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(request.format(port=port).replace("\n", "\r\n").encode())
    return client


UPGRADE = "GET /ws HTTP/1.1\nHost: 127.0.0.1:{port}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\n" \
          "Sec-WebSocket-Version: 13\n\n"
EVENTS = "GET /events HTTP/1.1\nHost: 127.0.0.1:{port}\n\n"


def gone(client):
    """The other side has closed the connection. What it sent before that is thrown away."""
    client.setblocking(False)
    try:
        while True:
            if client.recv(1 << 20) == b"":
                return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def unanswered(client):
    """The connection has ended without a byte."""
    client.settimeout(PATIENCE)
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


class Watcher(threading.Thread):
    """A good client: notes when each update came and how old its points were."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.websocket = WebSocket(port)
        self.times, self.ages, self.over, self.resyncs = [], [], False, 0

    def run(self):
        try:
            while not self.over:
                message = self.websocket.receive()
                self.resyncs += message["type"] == "resync"
                if message["type"] == "metrics_update" and "train/loss" in message["points"]:
                    self.times.append(time.monotonic())
                    self.ages.append(time.time() - message["points"]["train/loss"]["value"])
        except (EOFError, OSError):
            self.over = True

    def worst_gap(self, since=0):
        times = [one for one in [*self.times] if one >= since] + [time.monotonic()]
        return max([b - a for a, b in zip(times, times[1:])] + [times[0] - since if since else 0])

    def close(self):
        self.over = True
        self.join(5)
        self.websocket.close()


class Trickle(threading.Thread):
    """Requests that come a byte at a time to a server of their own, beside the other tests, since the server gives them up to 20 s."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server, self.over, self.ended, self.waits, self.failed = Server(), threading.Event(), {}, [], None

    def run(self):
        try:
            self.drip()
        except (OSError, AssertionError) as error:
            self.failed = error

    def drip(self):
        host = f"Host: 127.0.0.1:{self.server.port}\r\n".encode()
        kinds = {
            "nothing": b"",
            "header": b"GET /api/status HTTP/1.1\r\n" + host + b"X-Slow: ",
            "upgrade": b"GET /ws HTTP/1.1\r\n" + host + b"Upgrade: websocket\r\nX-Slow: ",
            "body": b"POST /api/training/sessions HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
        }
        slow, begin = [], time.monotonic()
        for kind, head in kinds.items():
            for _ in range(25):
                client = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)
                client.sendall(head)
                slow.append((kind, client))
        while slow and time.monotonic() - begin < 70 and not self.over.is_set():
            asked = time.monotonic()
            assert self.server.ask("GET", "/api/status")[0] == 200
            self.waits.append(time.monotonic() - asked)
            for kind, client in list(slow):
                try:
                    over = gone(client)
                    if not over and kind != "nothing":
                        client.sendall(b"x")
                except OSError:
                    over = True
                if over:
                    self.ended.setdefault(kind, []).append(time.monotonic() - begin)
                    slow.remove((kind, client))
                    client.close()
            self.over.wait(0.5)
        for _, client in slow:
            client.close()
        assert statistics.median(self.waits) < 1, f"requests beside them took {self.waits}"


class Pressure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.trickle = Trickle()
        cls.trickle.start()

    @classmethod
    def tearDownClass(cls):
        cls.trickle.over.set()
        cls.trickle.join(PATIENCE)
        assert cls.trickle.server.close() == 0, "SIGTERM did not end the server cleanly"

    def setUp(self):
        self.server = self.trainer = None

    def tearDown(self):
        if self.trainer:
            self.trainer.kill()
            self.trainer.wait()
            self.trainer.stdout.close()
        if self.server:
            self.assertEqual(self.server.close(), 0, "SIGTERM did not end the server cleanly")

    def serve(self, *arguments, **environment):
        self.server = Server(*arguments, environment=environment)

    def train(self, metrics=1, pause=0.02):
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        if not os.path.exists(library):
            self.skipTest("libtrainmon is not a shared library in this build")
        self.trainer = subprocess.Popen([sys.executable, os.path.join(HERE, "trainer.py"), library, self.server.folder, str(metrics), str(pause)],
                                        stdout=subprocess.PIPE, text=True, env=child_environment())
        self.session = self.trainer.stdout.readline().strip()
        self.assertTrue(self.session, "the trainer did not start")

    def idle(self):
        """The descriptors of a server that has opened what it keeps."""
        websocket = WebSocket(self.server.port)
        websocket.wait_for("metrics_update" if self.trainer else "hello")
        websocket.close()
        until("the place is free", lambda: self.clients() == 0)
        until("the connections have ended", lambda: sockets(self.server) <= 1)
        return descriptors(self.server)

    def clients(self):
        return self.server.ask("GET", "/api/status")[1]["websocket_clients"]

    def answer_time(self):
        begin = time.monotonic()
        self.assertEqual(self.server.ask("GET", "/api/status")[0], 200)
        return time.monotonic() - begin

    def watch(self):
        watcher = Watcher(self.server.port)
        watcher.start()
        until("the first updates came", lambda: len(watcher.times) > 5 or watcher.over)
        return watcher

    def test_stalled_streams_cost_no_memory_and_resync(self):
        self.serve()
        self.train(metrics=300, pause=0.01)
        watcher = self.watch()
        before = most = None
        seconds = 12 if LONG else 5
        for _ in range(ATTEMPTS):
            stalled = [deaf(self.server.port, UPGRADE) for _ in range(5)] + [deaf(self.server.port, EVENTS) for _ in range(5)]
            mark = watcher.websocket.taken
            time.sleep(2 if LONG else 1)
            before = most = most or memory(self.server)
            begin, slowest = time.monotonic(), 0
            while time.monotonic() - begin < seconds:
                slowest = max(slowest, self.answer_time())
                most = max(most, memory(self.server))
                time.sleep(0.2)
            gap = watcher.worst_gap(begin)
            if slowest < 2 and gap < 2:
                break
            for client in stalled:
                client.close()
        say(f"10 stalled streams, {seconds} s of 30,000 points a second at most: memory {before / MIB:.1f} -> at most {most / MIB:.1f} MiB; another client: {len(watcher.times)} updates, "
            f"worst gap {gap * 1000:.0f} ms, oldest point {max(watcher.ages) * 1000:.0f} ms; slowest request {slowest * 1000:.0f} ms")
        if not instrumented():
            # The log of updates is 4 MiB; each stalled client holds the one message that its socket did not take.
            self.assertLess(most - before, 16 * MIB, "memory grows with clients that do not read")
        self.assertFalse(watcher.over)
        self.assertLess(slowest, 2, "the server does not answer others on time")
        self.assertLess(gap, 2, "the client that reads waits for those that don't")
        # What the system keeps for them is not behind; more than 1 MiB behind that points are skipped, and more than 4 MiB behind they are closed.
        until("they are behind", lambda: all(watcher.websocket.taken - mark - queued(client, self.server.port) > 1.5 * MIB for client in (stalled[0], stalled[5])))
        for client, websocket in ((stalled[0], True), (stalled[5], False)):
            self.reads_again(client, websocket)
        log = os.path.join(self.server.folder, "logs/websocket.log")
        until("that points were skipped for them is noted", lambda: read(log).count(" resync peer=127.0.0.1 ") >= 2)
        watcher.close()
        for client in stalled:
            client.close()

    def reads_again(self, client, websocket):
        """What a stalled client finds when it reads on: old updates, one resync of its session, then new updates."""
        reader = WebSocket.__new__(WebSocket)
        reader.socket, reader.data = client, b""
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        while b"\r\n\r\n" not in reader.data:
            reader.data += client.recv(4096)
        reader.data = reader.data.partition(b"\r\n\r\n")[2]
        lines = b""

        def following():
            nonlocal lines
            if websocket:
                return reader.receive()
            while b"\n\n" not in reader.data:
                reader.data += client.recv(1 << 16)
            lines, _, reader.data = reader.data.partition(b"\n\n")
            return json.loads(lines.removeprefix(b"data: ")) if lines.startswith(b"data: ") else {"type": "comment"}

        resyncs, fresh, end = 0, False, time.monotonic() + PATIENCE
        while time.monotonic() < end and not (resyncs and fresh):
            message = following()
            if message["type"] == "resync":
                self.assertEqual(message["session_id"], self.session)
                resyncs += 1
            elif message["type"] == "metrics_update" and "train/loss" in message["points"]:
                fresh = message["points"]["train/loss"]["value"] > time.time() - 2
        self.assertGreaterEqual(resyncs, 1, "a client that skipped points is told so")
        self.assertTrue(fresh, "after the resync come new points")

    def test_streams_that_stand_still_are_closed(self):
        self.serve(WS_MAX_CONNECTIONS="3")
        self.train(metrics=1500, pause=0.02)
        watcher = self.watch()
        held, before, begin = sockets(self.server), memory(self.server), time.monotonic()
        stalled = [deaf(self.server.port, UPGRADE), deaf(self.server.port, UPGRADE), deaf(self.server.port, EVENTS)]
        for client, status in zip(stalled, (b"101", b"101", b"200")):
            self.assertEqual(client.recv(12, socket.MSG_PEEK)[9:], status)
        until("the stalled WebSockets were let go", lambda: self.clients() == 1)
        until("the stalled event stream was let go", lambda: sockets(self.server) <= held)
        grown = memory(self.server) - before
        say(f"3 streams that stood still were closed after {time.monotonic() - begin:.1f} s; memory {before / MIB:.1f} MiB, then {grown / MIB:+.1f}")
        if not instrumented():
            self.assertLess(grown, 32 * MIB)
        again = WebSocket(self.server.port)
        self.assertEqual(again.status, 101, "a stalled client keeps its place")
        self.assertEqual(again.receive()["type"], "hello")
        again.close()
        for client in stalled:
            until("the connection ends", lambda: gone(client))
            client.close()
        self.assertFalse(watcher.over)
        watcher.close()

    def test_slow_readers_of_large_replies(self):
        self.serve()
        self.train(metrics=64, pause=0.005)
        watcher = self.watch()
        time.sleep(2 if LONG else 1)
        path = f"/api/series?session_id={self.session}&width=1000&key=train%2Floss" + "".join(f"&key=train%2Flayer_{i}%2Fgradient_norm" for i in range(1, 16))
        begin = time.monotonic()
        status, reply = self.server.ask("GET", path)
        alone = time.monotonic() - begin
        self.assertEqual(status, 200, reply)
        size = len(json.dumps(reply, separators=(",", ":")))
        before = most = memory(self.server)
        readers = [deaf(self.server.port, f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n") for _ in range(8)]
        begin = time.monotonic()
        slowest = 0
        while time.monotonic() - begin < (4 if LONG else 2):
            slowest = max(slowest, self.answer_time())
            most = max(most, memory(self.server))
            time.sleep(0.1)
        say(f"8 slow readers of {size / MIB:.1f} MiB ({alone * 1000:.0f} ms to ask for alone): memory {before / MIB:.1f} -> at most {most / MIB:.1f} MiB; worst gap of another client "
            f"{watcher.worst_gap() * 1000:.0f} ms, slowest request {slowest * 1000:.0f} ms")
        if not instrumented():
            # Of what is asked at the same time the server holds 64 MiB in all, and a reply beyond.
            self.assertLess(most - before, 128 * MIB, "replies that nobody reads fill the memory")
        for reader in readers:
            reader.close()
        until("requests are answered at once", lambda: self.answer_time() < 1)
        watcher.close()

    def costly(self, width=1500):
        """The path of a query of 64 metrics, once there are more steps than buckets."""
        self.serve()
        self.train(metrics=64, pause=0.0005)
        last = "train%2Flayer_63%2Fgradient_norm"
        probe = f"/api/series?session_id={self.session}&width={width}&key={last}"
        until("there are enough steps", lambda: (lambda status, reply: status == 200 and sum(reply["series"][0]["count"]) > width)(*self.server.ask("GET", probe)))
        keys = ["train%2Floss"] + [f"train%2Flayer_{i}%2Fgradient_norm" for i in range(1, 64)]
        return f"/api/series?session_id={self.session}&width={width}&" + "&".join(f"key={key}" for key in keys)

    def test_costly_queries_hold_up_nobody(self):
        path = self.costly()
        begin = time.monotonic()
        status, reply = self.server.ask("GET", path)
        alone = time.monotonic() - begin
        self.assertEqual(status, 200, reply)
        self.assertEqual([len(reply["series"]), {len(one["min"]) == len(one["inf"]) > 700 for one in reply["series"]}], [64, {True}])
        before = most = memory(self.server)
        request = f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n"
        readers = []
        # Whoever waited for one of them would wait as long as it takes alone, or longer.
        limit = max(0.1, alone / 4)
        for attempt in range(ATTEMPTS):
            for reader in readers:
                reader.close()
            readers = [deaf(self.server.port, request, f"127.0.{10 + attempt}.{i + 1}") for i in range(30)]
            times, end = [], time.monotonic() + (15 if LONG or instrumented() else 5)
            while time.monotonic() < end:
                times.append(self.answer_time())
                most = max(most, memory(self.server))
            times.sort()
            worst = times[len(times) * 99 // 100]
            if worst < limit:
                break
        say(f"30 slow readers of 64 keys x 1,500 ({alone * 1000:.0f} ms to ask for alone): {len(times)} requests beside them, median {times[len(times) // 2] * 1000:.0f} ms, "
            f"p99 {worst * 1000:.0f} ms; memory {before / MIB:.0f} -> at most {most / MIB:.0f} MiB")
        self.assertLess(worst, limit)
        if not instrumented():
            self.assertLess(most - before, 128 * MIB)
        more = [deaf(self.server.port, request, f"127.0.2.{i + 1}") for i in range(30)]
        time.sleep(0.05)
        self.assertEqual(self.server.close(), 0)
        self.server = None
        self.assertGreater(sum(map(unanswered, more)), 0, "SIGTERM waits for queries")
        for client in readers + more:
            client.close()

    def crowd(self, path, one, another):
        """16 queries of one client and then one of another: how long that takes, and of the first how many are refused and how many answered by then."""
        begin = time.monotonic()
        request = f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n"
        crowd = [deaf(self.server.port, request, one) for _ in range(16)]
        other = deaf(self.server.port, request, another)
        other.settimeout(PATIENCE)
        self.assertIn(b" 200 ", other.recv(1000).splitlines()[0], "another client has a budget of its own")
        ready = selectors.DefaultSelector()
        for client in crowd:
            ready.register(client, selectors.EVENT_READ)
        heads = [key.fileobj.recv(1000).decode("latin-1").lower() for key, _ in ready.select(0)]
        took = time.monotonic() - begin
        other.close()
        for client in crowd:
            client.close()
        refused = [head for head in heads if " 429 " in head.splitlines()[0]]
        self.assertEqual(["retry-after: 1\r" in head for head in refused], [True] * len(refused))
        return took, len(refused), len(heads) - len(refused)

    def test_costly_queries_of_one_client_are_limited(self):
        path = self.costly(width=1000)
        for attempt in range(ATTEMPTS):
            took, refused, answered = self.crowd(path, f"127.0.3.{2 * attempt + 1}", f"127.0.3.{2 * attempt + 2}")
            # 64 keys x (1,000 + 500) of a million: ten go at once, and one more for each second that it takes.
            self.assertLessEqual(refused, 6)
            self.assertGreaterEqual(refused, 5 - took)
            if refused >= 3 and answered < 5:
                break
        self.assertGreaterEqual(refused, 3, "a client's budget has no end")
        self.assertLess(answered, 5, "another client waits for everything that the first asked for")
        status, reply = self.server.ask("GET", path.replace("width=1000&", "width=50000&"))
        self.assertEqual((status, reply["error"]["field"]), (400, "width"))

    def test_requests_in_a_row_on_one_connection(self):
        path = self.costly(width=100)
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)
        requests = [path, "/api/status", path, "/api/series?key=nobody", "/api/status"]
        client.sendall("".join(f"GET {one} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n\r\n" for one in requests).encode())
        data, found = b"", []
        while len(found) < len(requests):
            head, mark, rest = data.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if mark and len(rest) >= size:
                found.append((int(head.split()[1]), json.loads(rest[:size])))
                data = rest[size:]
                continue
            more = client.recv(1 << 16)
            self.assertTrue(more, f"the connection ended after {len(found)} replies")
            data += more
        self.assertEqual([status for status, _ in found], [200, 200, 200, 404, 200])
        self.assertEqual([len(found[i][1]["series"]) for i in (0, 2)], [64, 64])
        client.close()

    def test_two_hundred_websockets(self):
        self.serve(WS_MAX_CONNECTIONS="250")
        self.train(metrics=10)
        idle = self.idle()
        clients = [WebSocket(self.server.port) for _ in range(200)]
        self.assertEqual({one.status for one in clients}, {101})
        waiting = selectors.DefaultSelector()
        seen = [b""] * len(clients)
        for number, client in enumerate(clients):
            client.socket.setblocking(False)
            waiting.register(client.socket, selectors.EVENT_READ, number)
        times = []
        begin = time.monotonic()
        counts = [0] * len(clients)
        while time.monotonic() - begin < 3 or (min(counts) < 5 and time.monotonic() - begin < PATIENCE):
            for key, _ in waiting.select(0.02):
                data = seen[key.data] + key.fileobj.recv(1 << 16)
                counts[key.data] += data.count(b'"metrics_update"')
                seen[key.data] = data[-15:]
            if len(times) < (time.monotonic() - begin) * 10:
                times.append(self.answer_time())
        times.sort()
        say(f"200 WebSockets: {min(counts)} to {max(counts)} updates each in {time.monotonic() - begin:.0f} s; a request beside them: median {times[len(times) // 2] * 1000:.1f} ms, "
            f"slowest {times[-1] * 1000:.1f} ms; memory {memory(self.server) / MIB:.1f} MiB")
        self.assertGreaterEqual(min(counts), 5)
        self.assertLess(statistics.median(times), 1, "the server does not answer others on time")
        self.assertEqual(self.clients(), 200)
        more = [WebSocket(self.server.port) for _ in range(51)]
        self.assertEqual([s.status for s in more], [101] * 50 + [503])
        for client in clients + more:
            client.close()
        until("all places are free", lambda: self.clients() == 0)
        until("all descriptors are back", lambda: descriptors(self.server) <= idle + 1)
        again = WebSocket(self.server.port)
        self.assertEqual(again.receive()["type"], "hello")
        again.close()

    def test_default_limit_of_websockets(self):
        self.serve()
        sockets = [WebSocket(self.server.port) for _ in range(55)]
        self.assertEqual([s.status for s in sockets], [101] * 50 + [503] * 5)
        for client in sockets:
            client.close()
        until("all places are free", lambda: self.clients() == 0)

    def test_more_connections_than_the_server_takes(self):
        self.serve()
        crowd = []
        for _ in range(600):
            crowd.append(socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE))
        time.sleep(0.5)
        say(f"600 idle connections: {descriptors(self.server)} descriptors held")
        for client in crowd:
            client.close()

        def answered():
            # A server that takes a connection before it has seen that the others are gone closes it, for all its places are taken.
            with contextlib.suppress(ConnectionError):
                return self.answer_time() < 1
            return False

        until("requests are answered again", answered)

    def test_trickling_requests_end_by_timeout(self):
        trickle = self.trickle
        trickle.join(80)
        self.assertFalse(trickle.is_alive() or trickle.failed, f"trickling requests are never ended, or nobody else is answered: {trickle.failed}")
        words = ", ".join(f"{kind} {max(times):.0f} s" for kind, times in sorted(trickle.ended.items()))
        say(f"100 trickling connections ended: {words}; slowest request beside them {max(trickle.waits) * 1000:.0f} ms")
        self.assertEqual({kind: len(times) for kind, times in trickle.ended.items()}, {kind: 25 for kind in ("nothing", "header", "upgrade", "body")})
        self.assertLess(max(max(times) for times in trickle.ended.values()), 50)

    def test_storm_leaks_no_descriptor(self):
        self.serve()
        idle = self.idle()
        port = self.server.port
        requests = [b"", b"GET /api/sta", f"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(), UPGRADE.format(port=port).replace("\n", "\r\n").encode(),
                    EVENTS.format(port=port).replace("\n", "\r\n").encode(), b"\x16\x03\x01\x00\xa5\x01\x00\x00"]
        begin = time.monotonic()
        for number in range(2000):
            client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            if number % 2:
                # closes with a reset, as a crashed client does
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(ConnectionError):  # a server that has not seen yet that others left may have no place
                client.sendall(requests[number % len(requests)])
                if number % 7 == 0 and requests[number % len(requests)].endswith(b"\r\n\r\n"):
                    client.recv(100)
            client.close()
        took = time.monotonic() - begin
        until("all descriptors are back", lambda: descriptors(self.server) <= idle)
        say(f"2,000 connections opened and closed in {took:.1f} s; {idle} descriptors before, {descriptors(self.server)} after; memory {memory(self.server) / MIB:.1f} MiB")
        self.answer_time()


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
