#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Leaderboard and comparison over REST, on a real server and store. Usage: test_leaderboard.py PROGRAM"""
import sys
import unittest
from urllib.parse import quote

import test_rest
from test_rest import NOBODY, Server


class Leaderboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.ids = {}
        # name: (map50_95 by epoch, f1 by epoch, finished)
        runs = {"a": ([0.1, 0.7, 0.5], [0.3, 0.2, 0.1], True), "b": ([0.2, 0.7], [0.9, 0.8], True), "c": ([0.9], [0.5], False)}
        for name, (maps, scores, finished) in runs.items():
            status, reply = cls.server.ask("POST", "/api/training/sessions", {
                "session_name": name, "model_type": "yolov8n", "config": {"lr": 0.1 if name == "a" else 0.2, "aug": True}})
            assert status == 201, reply
            cls.ids[name] = reply["session"]["id"]
            for epoch, (value, score) in enumerate(zip(maps, scores)):
                status, reply = cls.server.ask("POST", "/api/training/metrics", {
                    "session_id": cls.ids[name], "epoch": epoch, "metrics/mAP50-95(B)": value, "val_loss": 1 - value, "f1": score})
                assert status == 201, reply
            if finished:
                status, reply = cls.server.ask("PATCH", f"/api/training/sessions/{cls.ids[name]}", {"status": "completed"})
                assert status == 200, reply

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def board(self, query):
        status, reply = self.server.ask("GET", "/api/training/leaderboard" + query)
        self.assertEqual(status, 200, reply)
        self.assertIs(reply["success"], True)
        self.assertEqual(reply["count"], len(reply["leaderboard"]))
        return reply, [(e["session_name"], e["rank"], round(e["value"], 6)) for e in reply["leaderboard"]]

    def test_of_the_seed(self):
        reply, order = self.board("?limit=20")
        self.assertEqual(order, [("a", 1, 0.7), ("b", 1, 0.7)])
        first = reply["leaderboard"][0]
        self.assertEqual((first["id"], first["session_id"], first["epoch"], first["step"], first["source"]),
                         (self.ids["a"], self.ids["a"], 1, None, "epochs"))
        self.assertGreaterEqual(first["duration_seconds"], 0)
        self.assertIsNone(first["avg_inference_ms"])
        self.assertEqual((reply["metric"], reply["mode"], reply["order"], reply["total"]), ("map50_95", "best", "higher", 2))

    def test_modes_and_order(self):
        self.assertEqual(self.board("?mode=last")[1], [("b", 1, 0.7), ("a", 2, 0.5)])
        self.assertEqual(self.board("?metric=f1&mode=last&order=lower&limit=1")[1], [("a", 1, 0.1)])
        self.assertEqual(self.board("?metric=f1&mode=last&order=lower&limit=1&offset=1")[1], [("b", 2, 0.8)])
        self.assertEqual(self.board("?status=all&limit=1")[1], [("c", 1, 0.9)])
        self.assertEqual(self.board("?status=running")[1], [("c", 1, 0.9)])
        for name in ("val_loss", "val/loss", "loss.val"):
            reply, order = self.board(f"?metric={quote(name)}")
            self.assertEqual((reply["metric"], reply["order"], order[0][2]), ("val_loss", "lower", 0.3))
        self.assertEqual(self.board("?metric=nothing")[1], [])
        self.assertEqual(self.board("?model_type=other")[1], [])
        # b: (0.4 * 0.6 * 0.9 + 0.4 * 0.8) / (1 - 0.36)
        self.assertEqual(self.board("?metric=f1&mode=smoothed&limit=1")[1], [("b", 1, 0.8375)])

    def test_bad_values_are_named(self):
        for query, field in (("limit=0", "limit"), ("limit=51", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("mode=worst", "mode"),
                             ("order=up", "order"), ("status=gone", "status"), ("metric=" + "x" * 251, "metric")):
            status, reply = self.server.ask("GET", "/api/training/leaderboard?" + query)
            self.assertEqual((status, reply["success"], reply["error"]["field"]), (400, False, field), query)
        self.assertEqual(self.server.ask("POST", "/api/training/leaderboard", {})[0], 405)

    def test_compare(self):
        query = f"?session_id={self.ids['a']}&session_id={self.ids['b']}"
        status, reply = self.server.ask("GET", "/api/training/compare" + query)
        self.assertEqual((status, reply["success"]), (200, True), reply)
        self.assertEqual([s["session_id"] for s in reply["sessions"]], [self.ids["a"], self.ids["b"]])
        self.assertEqual(reply["config"]["same"], [{"path": "aug", "value": True}])
        self.assertEqual(reply["config"]["different"], [{"path": "lr", "values": [0.1, 0.2], "absent": [False, False]}])
        metric = {m["name"]: m for m in reply["metrics"]}["map50_95"]
        self.assertEqual([(s["best"], s["best_at"], s["final"]) for s in metric["sessions"]], [(0.7, 1, 0.5), (0.7, 1, 0.7)])
        key = {k["key"]: k for k in reply["series"]["keys"]}["map50_95"]
        self.assertEqual([s["last"] for s in key["sessions"]], [[0.1, 0.7, 0.5], [0.2, 0.7]])
        status, reply = self.server.ask("GET", "/api/training/compare" + query + "&key=f1&key=unknown&width=10")
        self.assertEqual([k["key"] for k in reply["series"]["keys"]], ["f1", "unknown"])
        self.assertEqual(reply["series"]["keys"][1]["sessions"], [None, None])

    def test_compare_refuses(self):
        a, b = self.ids["a"], self.ids["b"]
        for query, wanted, field in ((f"session_id={a}", 400, "session_id"), (f"session_id={a}&session_id={a}", 400, "session_id"),
                                     (f"session_id={a}&session_id=x", 400, "session_id"), (f"session_id={a}&session_id={NOBODY}", 404, "session_id"),
                                     (f"session_id={a}&session_id={b}&axis=z", 400, "axis"), (f"session_id={a}&session_id={b}&width=2001", 400, "width"),
                                     ("&".join(f"session_id={a}" for _ in range(33)), 400, "session_id"),
                                     (f"session_id={a}&session_id={b}&" + "&".join("key=k" for _ in range(65)), 400, "key")):
            status, reply = self.server.ask("GET", "/api/training/compare?" + query)
            self.assertEqual((status, reply["success"], reply["error"]["field"]), (wanted, False, field), query)


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main()
