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
import struct
import subprocess
import sys
import threading
import time
import unittest

import test_rest
from test_rest import Server, WebSocket, child_environment

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
LONG = os.environ.get("LONG") == "1"


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


def until(what, probe, limit=10):
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

    def worst_gap(self):
        times = self.times + [time.monotonic()]
        return max(b - a for a, b in zip(times, times[1:]))

    def close(self):
        self.over = True
        self.join(5)
        self.websocket.close()


class Trickle(threading.Thread):
    """Requests that come a byte at a time to a server of their own, beside the other tests, since the server gives them up to 20 s."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server, self.over, self.ended, self.slowest, self.failed = Server(), threading.Event(), {}, 0, None

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
                client = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
                client.sendall(head)
                slow.append((kind, client))
        while slow and time.monotonic() - begin < 38 and not self.over.is_set():
            asked = time.monotonic()
            assert self.server.ask("GET", "/api/status")[0] == 200
            self.slowest = max(self.slowest, time.monotonic() - asked)
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
        assert self.slowest < 2, f"a request beside them took {self.slowest:.1f} s"


class Pressure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.trickle = Trickle()
        cls.trickle.start()

    @classmethod
    def tearDownClass(cls):
        cls.trickle.over.set()
        cls.trickle.join(10)
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

    def clients(self):
        return self.server.ask("GET", "/api/status")[1]["websocket_clients"]

    def ask_on_time(self, seconds=2.0):
        begin = time.monotonic()
        self.assertEqual(self.server.ask("GET", "/api/status")[0], 200)
        took = time.monotonic() - begin
        self.assertLess(took, seconds, "the server does not answer others on time")
        return took

    def watch(self):
        watcher = Watcher(self.server.port)
        watcher.start()
        until("the first updates came", lambda: len(watcher.times) > 5 or watcher.over, 30)
        return watcher

    def test_stalled_streams_cost_no_memory_and_resync(self):
        self.serve()
        self.train(metrics=150, pause=0.005)
        watcher = self.watch()
        stalled = [deaf(self.server.port, UPGRADE) for _ in range(5)] + [deaf(self.server.port, EVENTS) for _ in range(5)]
        time.sleep(2 if LONG else 1)
        before = most = memory(self.server)
        begin = time.monotonic()
        slowest, seconds = 0, 12 if LONG else 5
        while time.monotonic() - begin < seconds:
            slowest = max(slowest, self.ask_on_time())
            most = max(most, memory(self.server))
            time.sleep(0.2)
        say(f"10 stalled streams, {seconds} s of 30,000 points a second at most: memory {before / MIB:.1f} -> at most {most / MIB:.1f} MiB; another client: {len(watcher.times)} updates, "
            f"worst gap {watcher.worst_gap() * 1000:.0f} ms, oldest point {max(watcher.ages) * 1000:.0f} ms; slowest request {slowest * 1000:.0f} ms")
        if not instrumented():
            # The log of updates is 4 MiB; each stalled client holds the one message that its socket did not take.
            self.assertLess(most - before, 16 * MIB, "memory grows with clients that do not read")
        self.assertLess(watcher.worst_gap(), 2)
        self.assertFalse(watcher.over)
        say(f"the client that reads was told {watcher.resyncs} times that points were skipped")
        for client, websocket in ((stalled[0], True), (stalled[5], False)):
            self.reads_again(client, websocket)
        watcher.close()
        for client in stalled:
            client.close()

    def reads_again(self, client, websocket):
        """What a stalled client finds when it reads on: old updates, one resync of its session, then new updates."""
        reader = WebSocket.__new__(WebSocket)
        reader.socket, reader.data = client, b""
        client.settimeout(10)
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

        resyncs, newest, end = 0, 0, time.monotonic() + 20
        while time.monotonic() < end and not (resyncs and newest > time.time() - 2):
            message = following()
            if message["type"] == "resync":
                self.assertEqual(message["session_id"], self.session)
                resyncs += 1
            elif message["type"] == "metrics_update":
                newest = message["points"]["train/loss"]["value"]
        self.assertGreaterEqual(resyncs, 1, "a client that skipped points is told so")
        self.assertGreater(newest, time.time() - 2, "after the resync come new points")

    def test_streams_that_stand_still_are_closed(self):
        self.serve(WS_MAX_CONNECTIONS="3")
        self.train(metrics=1500, pause=0.02)
        watcher = self.watch()
        stalled = [deaf(self.server.port, UPGRADE), deaf(self.server.port, UPGRADE), deaf(self.server.port, EVENTS)]
        until("they are in", lambda: self.clients() == 3)
        begin = time.monotonic()
        held, before = descriptors(self.server), memory(self.server)
        until("the stalled WebSockets were let go", lambda: self.clients() == 1, 25)
        until("the stalled event stream was let go", lambda: descriptors(self.server) <= held - 3, 10)
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
            slowest = max(slowest, self.ask_on_time(9))
            most = max(most, memory(self.server))
            time.sleep(0.1)
        say(f"8 slow readers of {size / MIB:.1f} MiB ({alone * 1000:.0f} ms to ask for alone): memory {before / MIB:.1f} -> at most {most / MIB:.1f} MiB; worst gap of another client "
            f"{watcher.worst_gap() * 1000:.0f} ms, slowest request {slowest * 1000:.0f} ms")
        if not instrumented():
            # Of what is asked at the same time the server holds 64 MiB in all, and a reply beyond.
            self.assertLess(most - before, 128 * MIB, "replies that nobody reads fill the memory")
        for reader in readers:
            reader.close()
        until("all connections are back", lambda: self.ask_on_time() < 1)
        watcher.close()

    def costly(self, width=1500):
        """The path of a query of 64 metrics, once there are more steps than buckets."""
        self.serve()
        self.train(metrics=64, pause=0.0005)
        last = "train%2Flayer_63%2Fgradient_norm"
        probe = f"/api/series?session_id={self.session}&width={width}&key={last}"
        until("there are enough steps", lambda: sum(self.server.ask("GET", probe)[1]["series"][0]["count"]) > width, 60)
        keys = ["train%2Floss"] + [f"train%2Flayer_{i}%2Fgradient_norm" for i in range(1, 64)]
        return f"/api/series?session_id={self.session}&width={width}&" + "&".join(f"key={key}" for key in keys)

    def test_costly_queries_hold_up_nobody(self):
        path = self.costly()
        begin = time.monotonic()
        status, reply = self.server.ask("GET", path, timeout=60)
        alone = time.monotonic() - begin
        self.assertEqual(status, 200, reply)
        self.assertEqual([len(reply["series"]), {len(one["min"]) == len(one["inf"]) > 700 for one in reply["series"]}], [64, {True}])
        before = most = memory(self.server)
        readers = [deaf(self.server.port, f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n", f"127.0.1.{i + 1}") for i in range(30)]
        times, end = [], time.monotonic() + (15 if LONG or instrumented() else 5)
        while time.monotonic() < end:
            times.append(self.ask_on_time(10))
            most = max(most, memory(self.server))
        times.sort()
        worst = times[len(times) * 99 // 100]
        busy = os.getloadavg()[0] > 1
        say(f"30 slow readers of 64 keys x 1,500 ({alone * 1000:.0f} ms to ask for alone): {len(times)} requests beside them, median {times[len(times) // 2] * 1000:.0f} ms, "
            f"p99 {worst * 1000:.0f} ms; memory {before / MIB:.0f} -> at most {most / MIB:.0f} MiB")
        # Instrumented, a piece of work takes ten times as long, and so does what waits for one.
        self.assertLess(worst, 2 if instrumented() else 0.5 if busy else 0.1)
        if not instrumented():
            self.assertLess(most - before, 128 * MIB)
        more = [deaf(self.server.port, f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n", f"127.0.2.{i + 1}") for i in range(30)]
        time.sleep(0.05)
        begin = time.monotonic()
        self.assertEqual(self.server.close(), 0)
        took = time.monotonic() - begin
        self.server = None
        self.assertLess(took, 2, "SIGTERM waits for queries")
        for client in readers + more:
            client.close()

    def test_costly_queries_of_one_client_are_limited(self):
        path = self.costly(width=1000)
        # 64 keys x (1,000 + 500) of a million: ten go at once, and one more for each second that it takes.
        crowd = [deaf(self.server.port, f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n", "127.0.3.1") for _ in range(16)]
        other = deaf(self.server.port, f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{{port}}\n\n", "127.0.3.2")
        other.settimeout(60)
        self.assertIn(b" 200 ", other.recv(1000).splitlines()[0], "another client has a budget of its own")
        ready = selectors.DefaultSelector()
        for client in crowd:
            ready.register(client, selectors.EVENT_READ)
        heads = [key.fileobj.recv(1000) for key, _ in ready.select(0)]
        other.close()
        for client in crowd:
            client.close()
        refused = [head.decode("latin-1").lower() for head in heads if b" 429 " in head.splitlines()[0]]
        self.assertIn(len(refused), range(3, 7), "a client's budget has no end, or none of its queries is answered")
        self.assertEqual(["retry-after: 1\r" in head for head in refused], [True] * len(refused))
        self.assertLess(len(heads) - len(refused), 5, "another client waits for everything that the first asked for")
        status, reply = self.server.ask("GET", path.replace("width=1000&", "width=50000&"))
        self.assertEqual((status, reply["error"]["field"]), (400, "width"))

    def test_requests_in_a_row_on_one_connection(self):
        path = self.costly(width=100)
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
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
        idle = descriptors(self.server)
        sockets = [WebSocket(self.server.port) for _ in range(200)]
        self.assertEqual({s.status for s in sockets}, {101})
        waiting = selectors.DefaultSelector()
        seen = [b""] * len(sockets)
        for number, client in enumerate(sockets):
            client.socket.setblocking(False)
            waiting.register(client.socket, selectors.EVENT_READ, number)
        times = []
        begin = time.monotonic()
        counts = [0] * len(sockets)
        while time.monotonic() - begin < 3:
            for key, _ in waiting.select(0.02):
                data = seen[key.data] + key.fileobj.recv(1 << 16)
                counts[key.data] += data.count(b'"metrics_update"')
                seen[key.data] = data[-15:]
            if len(times) < (time.monotonic() - begin) * 10:
                times.append(self.ask_on_time())
        times.sort()
        say(f"200 WebSockets: {min(counts)} to {max(counts)} updates each in 3 s; a request beside them: median {times[len(times) // 2] * 1000:.1f} ms, "
            f"slowest {times[-1] * 1000:.1f} ms; memory {memory(self.server) / MIB:.1f} MiB")
        self.assertGreaterEqual(min(counts), 5)
        self.assertEqual(self.clients(), 200)
        more = [WebSocket(self.server.port) for _ in range(51)]
        self.assertEqual([s.status for s in more], [101] * 50 + [503])
        for client in sockets + more:
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
            crowd.append(socket.create_connection(("127.0.0.1", self.server.port), timeout=10))
        time.sleep(0.5)
        say(f"600 idle connections: {descriptors(self.server)} descriptors held")
        for client in crowd:
            client.close()

        def answered():
            # A server that takes a connection before it has seen that the others are gone closes it, for all its places are taken.
            with contextlib.suppress(ConnectionError):
                return self.ask_on_time() < 1
            return False

        until("requests are answered again", answered)

    def test_trickling_requests_end_by_timeout(self):
        trickle = self.trickle
        trickle.join(40)
        self.assertFalse(trickle.is_alive() or trickle.failed, f"trickling requests are never ended, or nobody else is answered: {trickle.failed}")
        words = ", ".join(f"{kind} {max(times):.0f} s" for kind, times in sorted(trickle.ended.items()))
        say(f"100 trickling connections ended: {words}; slowest request beside them {trickle.slowest * 1000:.0f} ms")
        self.assertEqual({kind: len(times) for kind, times in trickle.ended.items()}, {kind: 25 for kind in ("nothing", "header", "upgrade", "body")})
        self.assertLess(max(max(times) for times in trickle.ended.values()), 35)

    def test_storm_leaks_no_descriptor(self):
        self.serve()
        self.ask_on_time()
        idle = descriptors(self.server)
        port = self.server.port
        requests = [b"", b"GET /api/sta", f"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(), UPGRADE.format(port=port).replace("\n", "\r\n").encode(),
                    EVENTS.format(port=port).replace("\n", "\r\n").encode(), b"\x16\x03\x01\x00\xa5\x01\x00\x00"]
        begin = time.monotonic()
        for number in range(2000):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            if number % 2:
                # closes with a reset, as a crashed client does
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(requests[number % len(requests)])
            if number % 7 == 0 and requests[number % len(requests)].endswith(b"\r\n\r\n"):
                client.recv(100)
            client.close()
        took = time.monotonic() - begin
        until("all descriptors are back", lambda: descriptors(self.server) <= idle, 20)
        say(f"2,000 connections opened and closed in {took:.1f} s; {idle} descriptors before, {descriptors(self.server)} after; memory {memory(self.server) / MIB:.1f} MiB")
        self.ask_on_time()


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
