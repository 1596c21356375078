#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The paths under /api/ml, and the forest of examples/forest really trained as recipe `randomforest` (with TRAINMON_FOREST_PYTHON, a Python that has its requirements).
Usage: test_ml.py PROGRAM"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import test_rest
from test_rest import NOBODY, PATIENCE, Server

FOREST = pathlib.Path(__file__).parents[2] / "examples/forest"


def until(check, seconds=2 * PATIENCE):
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


class Ml(unittest.TestCase):
    def setUp(self):
        self.server = Server()

    def tearDown(self):
        self.server.close()

    def make(self, **fields):
        return self.server.ask("POST", "/api/training/sessions", fields)[1]["session"]["id"]

    def log(self, session, epoch, **values):
        self.assertEqual(self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, **values})[0], 201)

    def get(self, path):
        status, reply = self.server.ask("GET", path)
        self.assertEqual(status, 200, reply)
        self.assertTrue(reply["success"])
        return reply

    def test_a_session_in_its_words(self):
        session = self.make(model_type="rf", session_name="one", epochs=4, status="running", config={"trees": 3})
        self.log(session, 1, total_loss=0.9, val_loss=1.0, train_accuracy=0.5, val_accuracy=0.4, learning_rate=0.01, precision=0.3, recall=0.2, f1_score=0.25)
        self.log(session, 2, total_loss=0.8)
        got = self.get(f"/api/ml/training-session/{session}")["session"]
        for key, value in {"id": session, "session_id": session, "sessionId": session, "modelType": "rf", "status": "training", "currentEpoch": 2, "totalEpochs": 4,
                           "progress": 50, "config": {"trees": 3}, "endTime": None, "error": None, "control": "run"}.items():
            self.assertEqual(got[key], value, key)
        self.assertEqual((got["metrics"]["epoch"], got["metrics"]["loss"], got["metrics"]["valLoss"]), (2, 0.8, None))
        reply = self.get(f"/api/ml/training-metrics/{session}")
        self.assertEqual(reply["count"], 2)
        first = reply["metrics"][0]
        self.assertEqual({k: v for k, v in first.items() if k not in ("timestamp",)},
                         {"epoch": 1, "loss": 0.9, "valLoss": 1.0, "accuracy": 0.5, "valAccuracy": 0.4, "learningRate": 0.01, "precision": 0.3, "recall": 0.2,
                          "f1Score": 0.25, "map50": None, "map5095": None, "epochTime": None})
        for path in ("training-session", "training-metrics"):
            self.assertEqual(self.server.ask("GET", f"/api/ml/{path}/{NOBODY}")[0], 404)
            self.assertEqual(self.server.ask("GET", f"/api/ml/{path}/x")[0], 400)

    def test_all_training_data(self):
        live = self.make(model_type="a", status="running")
        over = self.make(model_type="b", status="running")
        self.server.ask("PATCH", f"/api/training/sessions/{over}", {"status": "completed"})
        reply = self.get("/api/ml/training-data")
        self.assertEqual([s["id"] for s in reply["activeTrainings"]], [live])
        self.assertEqual([(s["id"], s["status"]) for s in reply["trainingHistory"]], [(over, "completed")])
        self.assertEqual((reply["activeCount"], reply["historyCount"], reply["totalSessions"]), (1, 1, 2))

    def test_stop(self):
        session = self.make(status="running")
        self.assertEqual(self.server.ask("POST", f"/api/ml/stop-training/{session}")[1]["control"], "stop")
        status, reply = self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 1, "total_loss": 1})
        self.assertEqual((status, reply["control"]), (201, "stop"))
        self.server.ask("PATCH", f"/api/training/sessions/{session}", {"status": "cancelled"})
        self.assertEqual(self.server.ask("POST", f"/api/ml/stop-training/{session}")[0], 409)
        self.assertEqual(self.server.ask("POST", f"/api/ml/stop-training/{NOBODY}")[0], 404)
        self.assertEqual(self.server.ask("GET", f"/api/ml/stop-training/{session}")[0], 405)

    def test_updates_after_a_cursor(self):
        before = self.make(status="running")
        reply = self.get("/api/ml/real-time-updates")
        self.assertEqual([(u["type"], u["sessionId"]) for u in reply["updates"]], [("training_progress", before)])
        cursor = reply["cursor"]
        reply = self.get(f"/api/ml/real-time-updates?since={cursor}")
        self.assertEqual((reply["updates"], reply["cursor"], reply["resync"], reply["more"]), ([], cursor, False, False))
        made = self.make(status="running")
        self.log(before, 1, total_loss=1)
        reply = self.get(f"/api/ml/real-time-updates?since={cursor}")
        self.assertEqual([(u["type"], u["session_id"]) for u in reply["updates"]], [("training_started", made), ("training_progress", before)])
        self.assertEqual(reply["updates"][1]["session"]["metrics"]["loss"], 1)
        cursor = reply["cursor"]
        self.server.ask("PATCH", f"/api/training/sessions/{made}", {"status": "completed"})
        self.server.ask("PATCH", f"/api/training/sessions/{before}", {"status": "failed", "error_message": "out of memory"})
        reply = self.get(f"/api/ml/real-time-updates?since={cursor}")
        self.assertEqual([(u["type"], u["session"]["error"]) for u in reply["updates"]], [("training_completed", None), ("training_failed", "out of memory")])
        self.assertEqual(self.get(f"/api/ml/real-time-updates?since={reply['cursor']}")["updates"], [])
        self.assertTrue(self.get("/api/ml/real-time-updates?since=999999999")["resync"])
        for since in ("x", "-1", "1.5"):
            self.assertEqual(self.server.ask("GET", f"/api/ml/real-time-updates?since={since}")[1]["error"]["field"], "since")


@unittest.skipUnless(os.environ.get("TRAINMON_FOREST_PYTHON"), "TRAINMON_FOREST_PYTHON is not set")
class Forest(unittest.TestCase):
    def setUp(self):
        folder = os.path.dirname(os.environ["TRAINMON_FOREST_PYTHON"])
        self.server = Server("--recipes", str(FOREST / "recipes.json"), environment={"PATH": f"{folder}:{os.environ['PATH']}"})

    def tearDown(self):
        self.server.close()

    def session(self, session):
        return self.server.ask("GET", f"/api/ml/training-session/{session}")[1]["session"]

    def over(self, session):
        return until(lambda: (lambda s: s if s["status"] not in ("pending", "training") else None)(self.session(session)), 5 * PATIENCE)

    def test_it_is_trained_as_recipe(self):
        small = {"trees": 30, "step": 10, "criterion": "entropy"}
        status, reply = self.server.ask("POST", "/api/ml/start-training", {"modelType": "randomforest", "config": small})
        self.assertEqual(status, 201)
        session = reply["sessionId"]
        got = self.over(session)
        output = self.server.ask("GET", f"/api/training/sessions/{session}/output")[1]["output"]
        self.assertEqual((got["status"], got["error"], got["progress"]), ("completed", None, 100), output)
        rows = self.server.ask("GET", f"/api/training/metrics?session_id={session}")[1]["metrics"]
        self.assertEqual([row["extra"]["trees"] for row in rows], [10, 20, 30])
        # What scikit-learn reaches on these digits with so many trees; a made-up curve would not know it.
        self.assertGreater(rows[-1]["val_accuracy"], 0.9)
        self.assertGreater(rows[-1]["train_accuracy"], rows[-1]["val_accuracy"])
        self.assertEqual(len([key for key in rows[-1]["extra"] if key.startswith("per_class/")]), 10)
        self.assertEqual(output.count("trees: accuracy"), 3)
        row = self.server.ask("GET", f"/api/training/sessions/{session}")[1]["session"]
        self.assertEqual((row["dataset_name"], row["dataset_size"], row["epochs"], row["config"]["trees"]), ("digits", 1797, 3, 30))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_the_documents_commands(self):
        url = f"http://localhost:{self.server.port}"

        def curl(*arguments):
            return json.loads(subprocess.run(["curl", "-s", *arguments], capture_output=True, check=True, env=test_rest.direct_environment()).stdout)

        # More trees than the document's command asks for (test_snippets.py types that one), so that it is not over before it is looked at.
        reply = curl("-X", "POST", f"{url}/api/ml/start-training", "-H", "Content-Type: application/json", "-d", '{"modelType":"randomforest","config":{"trees":5000}}')
        session = reply["session_id"]
        self.assertEqual(reply["session"]["model_type"], "randomforest")
        self.assertEqual(self.server.ask("POST", "/api/ml/start-training", {"modelType": "randomforest"})[0], 409)
        until(lambda: self.session(session)["currentEpoch"] >= 2)
        data = curl(f"{url}/api/ml/training-data")
        self.assertEqual(data["activeTrainings"][0]["status"], "training")
        updates = curl(f"{url}/api/ml/real-time-updates")
        self.assertEqual(updates["updates"][0]["sessionId"], session)
        # Pause holds it, resume lets it go on, stop ends it with a status of its own.
        self.server.ask("POST", "/api/training/pause", {"session_id": session})
        held = until(lambda: (lambda a, _, b: a if a == b else None)(self.session(session)["currentEpoch"], time.sleep(1), self.session(session)["currentEpoch"]))
        self.server.ask("POST", "/api/training/resume", {"session_id": session})
        until(lambda: self.session(session)["currentEpoch"] > held)
        self.server.ask("POST", f"/api/ml/stop-training/{session}")
        got = self.over(session)
        self.assertEqual((got["status"], got["error"]), ("cancelled", None))


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=1)
