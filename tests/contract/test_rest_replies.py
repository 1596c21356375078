#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Replies in gzip, and replies that a client has already. Usage: test_rest_replies.py PROGRAM [unittest arguments]"""
import gzip
import json
import os
import subprocess
import sys
import time
import unittest

import test_rest
from test_rest import PATIENCE, Server, child_environment

HERE = os.path.dirname(os.path.abspath(__file__))


class Replies(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.ask = self.server.ask

    def tearDown(self):
        self.assertEqual(self.server.close(), 0)

    def create(self, **fields):
        status, reply = self.ask("POST", "/api/training/sessions", {"session_name": "a", "model_type": "b", "status": "running"} | fields)
        self.assertEqual(status, 201, reply)
        return reply["session"]["id"]

    def train(self, metrics, seconds, steps=0):
        """The id of a session that was logged to for so long, and until it has so many steps, and is interrupted now."""
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        if not os.path.exists(library):
            self.skipTest("libtrainmon is not a shared library in this build")
        trainer = subprocess.Popen([sys.executable, os.path.join(HERE, "trainer.py"), library, self.server.folder, str(metrics), "0.001"],
                                   stdout=subprocess.PIPE, text=True, env=child_environment())
        self.addCleanup(trainer.kill)
        session = trainer.stdout.readline().strip()
        time.sleep(seconds)
        end = time.monotonic() + 2 * PATIENCE

        def enough():
            series = self.ask("GET", f"/api/training/sessions/{session}")[1]["series"]
            return len(series) == metrics and all(one["count"] > 0 and one["last_step"] >= steps for one in series)

        while not enough():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)
        self.assertNotIn("etag", self.tags(f"/api/training/sessions/{session}"), "its figures change without a commit")
        trainer.kill()
        trainer.wait()
        trainer.stdout.close()
        end = time.monotonic() + PATIENCE
        while self.ask("GET", f"/api/training/sessions/{session}")[1]["session"]["status"] != "interrupted":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        # It is shown as interrupted at once; that it is, and its last points, are committed within a second.
        before = None
        while before != (before := self.tags(f"/api/training/sessions/{session}")["etag"]):
            self.assertLess(time.monotonic(), end)
            time.sleep(1.5)
        return session

    def tags(self, path, **headers):
        self.status, self.reply = self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return self.server.headers

    def both(self, path):
        """A reply, plain and compressed; they say the same."""
        plain = self.ask("GET", path)[1]
        self.assertNotIn("content-encoding", self.server.headers)
        size = int(self.server.headers["content-length"])
        self.assertEqual(self.server.headers["vary"], "Accept-Encoding")
        packed = self.ask("GET", path, headers={"Accept-Encoding": "br, gzip"})[1]
        self.assertEqual(self.server.headers["content-encoding"], "gzip")
        self.assertEqual(self.server.headers["vary"], "Accept-Encoding")
        self.assertEqual(int(self.server.headers["content-length"]), len(packed))
        self.assertEqual(json.loads(gzip.decompress(packed)), plain)
        return size, len(packed)

    def test_small_replies_and_other_clients_get_plain_text(self):
        headers = self.tags("/api/metrics/history", Accept_Encoding="gzip")
        self.assertEqual(("content-encoding" in headers, self.status), (False, 404))
        session = self.create(dataset_name="x" * 2000)
        for wish in ("identity", "gzip;q=0", "br"):
            self.assertNotIn("content-encoding", self.tags(f"/api/training/sessions/{session}", Accept_Encoding=wish))
            self.assertEqual(self.reply["session"]["dataset_name"], "x" * 2000)

    def test_replies_of_one_piece_and_of_many(self):
        session = self.create(dataset_name="word " * 800, status="completed")
        size, packed = self.both(f"/api/training/sessions/{session}")
        self.assertLess(packed, size / 4)
        session = self.train(8, 1, 3000)
        keys = "".join(f"&key=train%2Flayer_{i}%2Fgradient_norm" for i in range(1, 8))
        size, packed = self.both(f"/api/series?session_id={session}&width=20000{keys}")
        print(f"  a series of {size} bytes went as {packed}", flush=True)
        self.assertGreater(size, 1 << 20, "this must take several pieces")
        self.assertLess(packed, size / 2)

    def test_what_the_client_has_is_not_sent_again(self):
        session = self.train(2, 0.5)
        paths = [f"/api/series?session_id={session}&key=train%2Floss", f"/api/series?session_id={session}&key=train%2Floss&width=10",
                 f"/api/metrics/history?session_id={session}", f"/api/training/metrics?session_id={session}", f"/api/training/sessions/{session}"]
        tags = [self.tags(path)["etag"] for path in paths]
        self.assertEqual(len(set(tags)), len(paths), "each question has a tag of its own")
        for path, tag in zip(paths, tags):
            self.assertTrue(tag.startswith('W/"'))
            for given in (tag, f'W/"other", {tag}'):
                headers = self.tags(path, If_None_Match=given)
                self.assertEqual((self.status, self.reply, headers["etag"], headers["cache-control"]), (304, b"", tag, "private, no-cache"))
            self.tags(path, If_None_Match=tags[paths.index(path) - 1])
            self.assertEqual((self.status, self.reply["success"]), (200, True))
        self.create()
        for path, tag in zip(paths, tags):
            self.assertNotEqual(self.tags(path, If_None_Match=tag)["etag"], tag, "the store has changed")
            self.assertEqual(self.status, 200)

    def test_epoch_rows_of_a_live_session(self):
        session = self.create()
        path = f"/api/training/metrics?session_id={session}"
        for epoch in range(3):
            before = self.tags(path)["etag"]
            self.tags(path, If_None_Match=before)
            self.assertEqual(self.status, 304)
            self.assertEqual(self.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "val_loss": 0.5})[0], 201)
            self.tags(path, If_None_Match=before)
            self.assertEqual((self.status, self.reply["count"]), (200, epoch + 1))

    def test_errors_and_live_replies_have_no_tag(self):
        session = self.create(status="completed")
        headers = self.tags(f"/api/series?session_id={session}&key=none")
        self.assertEqual((self.status, "etag" in headers, headers["cache-control"]), (404, False, "no-store"))
        for path in ("/api/status", "/api/training/sessions", "/api/training/active"):
            self.assertNotIn("etag", self.tags(path))
            self.assertEqual(self.server.headers["cache-control"], "no-store")


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
