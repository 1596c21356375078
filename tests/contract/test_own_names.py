#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Names that a session declares for its metrics, over REST and of a trainer that is live. Usage: test_own_names.py PROGRAM"""
import os
import subprocess
import sys
import unittest

import test_rest
from test_rest import Server, WebSocket, child_environment

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = {"my/val_iou": "map50", "loss": "val_loss", "my/auc": "auc_roc.macro"}


class OwnNames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def ask(self, method, path, body=None, expected=200):
        status, reply = self.server.ask(method, path, body)
        self.assertEqual(status, expected, reply)
        return reply

    def make(self, **more):
        return self.ask("POST", "/api/training/sessions", more, 201)["session"]["id"]

    def test_rows_messages_and_ranking(self):
        session = self.make(session_name="own", status="running", best_metric="my/val_iou:max", config={"lr0": 0.1, "metric_aliases": OWN})
        other = self.make(session_name="plain", status="running")
        for one in (session, other):
            self.ask("POST", "/api/training/metrics", {"session_id": one, "epoch": 0, "my/val_iou": 0.5, "loss": 0.25, "extra": {"my/auc": 0.75}}, 201)
        row = self.ask("GET", f"/api/training/metrics?session_id={session}")["metrics"][0]
        self.assertEqual((row["map50"], row["val_loss"], row["total_loss"], row["extra"]), (0.5, 0.25, None, {"auc_roc.macro": 0.75}))
        row = self.ask("GET", f"/api/training/metrics?session_id={other}")["metrics"][0]
        self.assertEqual((row["map50"], row["total_loss"], row["extra"]), (None, 0.25, {"my/val_iou": 0.5, "my/auc": 0.75}))
        current = self.ask("GET", f"/api/metrics/current?session_id={session}")["metrics"]
        self.assertEqual((current["loss"], current["auc_roc"]["macro"]), ({"train": None, "val": 0.25}, 0.75))
        record = self.ask("GET", f"/api/training/sessions/{session}")["session"]
        self.assertEqual((record["best_metric"], record["best_epoch"], record["config"]["metric_aliases"]), ("map50:max", 0, OWN))
        for metric, names in (("map50", ["own"]), ("my/val_iou", ["own", "plain"]), ("val_loss", ["own"]), ("loss", ["plain"])):
            board = self.ask("GET", f"/api/training/leaderboard?status=running&metric={metric}")["leaderboard"]
            self.assertEqual(sorted(entry["session_name"] for entry in board), names, metric)

    def test_a_live_trainer(self):
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        if not os.path.exists(library):
            self.skipTest("libtrainmon is not a shared library in this build")
        socket = WebSocket(self.server.port)
        trainer = subprocess.Popen([sys.executable, os.path.join(HERE, "trainer.py"), library, self.server.folder], stdout=subprocess.PIPE, text=True,
                                   env=child_environment())
        try:
            session = trainer.stdout.readline().strip()
            message = socket.wait_for("metrics_update", session)
            while message["metrics"]["loss"]["train"] is None:
                message = socket.wait_for("metrics_update", session)
            self.assertIsNone(message["metrics"]["loss"]["val"])
            self.ask("PATCH", f"/api/training/sessions/{session}", {"config": {"metric_aliases": {"train/loss": "loss.val"}}})
            while message["metrics"]["loss"]["val"] is None:
                message = socket.wait_for("metrics_update", session)
            self.assertIn("train/loss", message["points"])  # points keep their name
            self.assertEqual(message["metrics"]["loss"]["val"], message["points"]["train/loss"]["value"])
            current = self.ask("GET", f"/api/metrics/current?session_id={session}")["metrics"]["loss"]
            self.assertIsNone(current["train"])
            self.assertGreater(current["val"], 0)
        finally:
            trainer.kill()
            trainer.wait()
            trainer.stdout.close()
            socket.close()

    def test_what_is_refused(self):
        session = self.make(session_name="s")
        long = "n" * 251
        wrong = [[], "map50", None, 1, {"a": 1}, {"a": None}, {"a": ["map50"]}, {"a": "no_such"}, {"a": "train/loss"}, {"": "map50"}, {long: "map50"},
                 {"a\n": "map50"}, {"map50": "recall"}, {"loss.val": "recall"}, {f"n{i}": "recall" for i in range(65)}]
        for aliases in wrong:
            with self.subTest(aliases=str(aliases)[:60]):
                body = {"config": {"metric_aliases": aliases}}
                for method, path in (("POST", "/api/training/sessions"), ("PATCH", f"/api/training/sessions/{session}")):
                    error = self.ask(method, path, body, 400)["error"]
                    self.assertEqual(error["field"], "config.metric_aliases")
                    self.assertIn("metric_aliases", error["message"])
        self.assertEqual(self.ask("GET", f"/api/training/sessions/{session}")["session"]["config"], {})
        self.ask("PATCH", f"/api/training/sessions/{session}", {"config": {"metric_aliases": {f"n{i}": "recall" for i in range(64)}}})


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
