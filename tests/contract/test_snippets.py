#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""
The snippets of the training documents, run as they are written (tests/contract/snippets): Python with requests, JSON bodies and commands with curl, SQL in the
sqlite3 shell, against a real server on the port that they name; where another program has that port, on another one, which they are told. Usage: test_snippets.py PROGRAM
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

import test_rest

SNIPPETS = pathlib.Path(__file__).parent / "snippets"
PORT = 5000

# What the snippets take for granted of the training loop around them: three epochs of a run that gets better.
LOOP = """
def values_of(number):
    return {'precision': 0.8 + number / 100, 'recall': 0.7 + number / 100, 'map50': 0.6 + number / 10, 'map50_95': 0.5 + number / 10}
epochs = 3
"""


class OnPort(test_rest.Server):
    """The server of the other tests, on the port of the documents where that is free."""

    def __init__(self, port=PORT, *arguments, **named):
        self.documented = port
        if not self.taken(port):
            try:
                super().__init__(*arguments, port=port, **named)
                return
            except test_rest.NotStarted:  # somebody was quicker
                pass
        super().__init__(*arguments, **named)

    @staticmethod
    def taken(port):
        for family, kind, protocol, _, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                if probe.connect_ex(address) == 0:
                    return True
        return False

    def told(self, snippet):
        return re.sub(rf"\b(localhost|127\.0\.0\.1):{self.documented}\b", rf"\1:{self.port}", snippet)


def run(program, **options):
    """The standard output of a program; what it prints to standard error tells why it failed."""
    done = subprocess.run(program, capture_output=True, text=True, timeout=5 * test_rest.PATIENCE, **options)
    if done.returncode != 0:
        raise AssertionError(f"{program[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


class Snippets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = OnPort()
        cls.addClassCleanup(cls.server.close)

    def sql(self, name):
        """A query in the shell as people run it, a list of rows."""
        database = os.path.join(self.server.folder, "trainmon.db")
        text = run(["sqlite3", "-batch", "-init", "/dev/null", "-readonly", "-json", database], input=(SNIPPETS / name).read_text())
        return json.loads(text) if text.strip() else []

    def curl(self, method, path, name, **replaced):
        body = (SNIPPETS / name).read_text()
        for old, new in replaced.items():
            body = body.replace(f'"{old}"', f'"{new}"')
        text = run(["curl", "-sS", "-X", method, f"http://localhost:{self.server.port}{path}", "-H", "Content-Type: application/json", "-d", body],
                   env=test_rest.direct_environment())
        return json.loads(text)

    def test_python(self):
        loop = (SNIPPETS / "epochs.py").read_text()
        # The body of the loop reads names that its training sets; here each epoch sets them where the snippet says "train one epoch".
        loop = loop.replace("    # ... train one epoch ...\n", "    train_loss, metrics, epoch_duration, gpu_memory = 1 / (epoch + 1), values_of(epoch), 2.5, 512\n")
        program = self.server.told("\n".join([LOOP, (SNIPPETS / "start.py").read_text(), loop, "print(session_id)"]))
        environment = test_rest.direct_environment()
        identity = run([sys.executable, "-c", program], env=environment).strip()

        active = self.sql("active.sql")
        self.assertEqual([row["id"] for row in active], [identity])
        self.assertEqual((active[0]["current_epoch"], active[0]["latest_map50_95"]), (2, 0.7))
        self.assertEqual(active[0]["started_at"], "2025-11-04T14:00:00.000000Z")

        finish = f"import requests\nsession_id = {identity!r}\n" + (SNIPPETS / "finish.py").read_text()
        run([sys.executable, "-c", self.server.told(finish)], env=environment)
        status, reply = self.server.ask("GET", f"/api/training/sessions/{identity}")
        self.assertEqual(status, 200)
        session = reply["session"]
        self.assertEqual((session["status"], session["final_map50_95"], session["duration_seconds"]), ("completed", 0.754, 9000))
        self.assertEqual(session["config"], {"imgsz": 640, "augment": True, "workers": 8})
        self.assertEqual((session["best_epoch"], session["model_path"]), (2, "/models/yolov8s_best.pt"))
        self.assertEqual([row["total_loss"] for row in reply["metrics"]], [1, 1 / 2, 1 / 3])
        self.assertEqual(self.sql("active.sql"), [])

        best = self.sql("best_model.sql")
        self.assertIn(identity, [row["id"] for row in best])
        efficiency = {row["session_name"]: row for row in self.sql("efficiency.sql")}["YOLOv8s Mastomys v3"]
        self.assertAlmostEqual(efficiency["hours"], 2.5)
        self.assertAlmostEqual(efficiency["efficiency_score"], 0.754 / 2.5)
        models = {row["model_type"]: row for row in self.sql("models.sql")}["yolov8s"]
        self.assertEqual((models["avg_map"], models["avg_duration"], models["training_runs"]), (0.754, 9000, 1))

    def test_readme(self):
        server = OnPort(8000)
        self.addCleanup(server.close)
        text = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
        program, = [block.partition("```")[0] for block in text.split("```python\n")[1:] if block.startswith("import requests")]
        run([sys.executable, "-c", server.told(program)], env=test_rest.direct_environment())
        session, = server.ask("GET", "/api/training/sessions")[1]["sessions"]
        self.assertEqual((session["status"], session["progress"]["percent"]), ("completed", 100))
        rows = server.ask("GET", f"/api/training/metrics?session_id={session['id']}")[1]["metrics"]
        self.assertEqual([row["total_loss"] for row in rows], [1, 1 / 2, 1 / 3])

    def test_bodies(self):
        made = self.curl("POST", "/api/training/sessions", "create_session.json")
        self.assertTrue(made["success"])
        identity = made["session"]["id"]
        self.assertEqual(made["session"]["hardware_info"], {"device": "cuda", "gpu": "NVIDIA RTX 3090"})
        for _ in range(2):  # the second writes the same row again
            self.assertTrue(self.curl("POST", "/api/training/metrics", "epoch.json", uuid=identity)["success"])
        status, reply = self.server.ask("GET", f"/api/training/metrics?session_id={identity}")
        self.assertEqual((status, reply["count"]), (200, 1))
        sent = json.loads((SNIPPETS / "epoch.json").read_text())
        del sent["session_id"]
        self.assertEqual({key: reply["metrics"][0][key] for key in sent}, sent)
        done = self.curl("PATCH", f"/api/training/sessions/{identity}", "finish_session.json")["session"]
        sent = json.loads((SNIPPETS / "finish_session.json").read_text())
        self.assertEqual(done.pop("completed_at"), sent.pop("completed_at").replace("Z", ".000000Z"))
        self.assertEqual({key: done[key] for key in sent}, sent)


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Commands(unittest.TestCase):
    """What the document of the visualization says to type, with the recipes of examples/forest on port 8000."""

    def setUp(self):
        # The forest itself where its requirements are installed; else its recipe starts a program that ends at once, and the replies are the same.
        self.forest = os.environ.get("TRAINMON_FOREST_PYTHON")
        recipes = pathlib.Path(__file__).parents[2] / "examples/forest/recipes.json"
        path = f"{os.path.dirname(self.forest)}:{os.environ['PATH']}" if self.forest else os.environ["PATH"]
        self.server = OnPort(8000, "--recipes", str(recipes), environment={"PATH": path})
        self.addCleanup(self.server.close)

    def type(self, name):
        return json.loads(run(["bash", "-ec", self.server.told((SNIPPETS / name).read_text())], env=test_rest.direct_environment()))

    def until(self, check, seconds=5 * test_rest.PATIENCE):
        end = time.monotonic() + seconds
        while not check():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def test_commands(self):
        empty = self.type("training_data.sh")
        self.assertEqual((empty["success"], empty["activeTrainings"], empty["trainingHistory"]), (True, [], []))
        started = self.type("start_training.sh")
        session = started["sessionId"]
        self.assertEqual((started["success"], started["recipe"], started["session"]["model_type"]), (True, "randomforest", "randomforest"))
        if not self.forest:
            self.until(lambda: self.type("training_data.sh")["activeCount"] == 0)
            self.assertEqual([one["id"] for one in self.type("training_data.sh")["trainingHistory"]], [session])
            return
        # Held after its first epoch, so that it is not over before it is looked at.
        self.assertEqual(self.server.ask("POST", "/api/training/pause", {"session_id": session})[0], 200)
        self.until(lambda: any(one["currentEpoch"] >= 1 for one in self.type("training_data.sh")["activeTrainings"]))
        active = self.type("training_data.sh")["activeTrainings"][0]
        self.assertEqual((active["id"], active["modelType"], active["status"], active["totalEpochs"]), (session, "randomforest", "training", 40))
        self.assertTrue(0 < active["progress"] < 100 and 0 < active["metrics"]["accuracy"] <= 1, active)
        updates = self.type("real_time_updates.sh")
        self.assertEqual([(one["type"], one["sessionId"]) for one in updates["updates"]], [("training_progress", session)])
        self.assertTrue(updates["success"] and isinstance(updates["cursor"], int), updates)
        self.assertEqual(self.server.ask("POST", f"/api/ml/stop-training/{session}")[0], 200)
        self.until(lambda: self.type("training_data.sh")["activeCount"] == 0)
        ended = self.type("training_data.sh")["trainingHistory"][0]
        self.assertEqual((ended["id"], ended["status"], ended["error"]), (session, "cancelled", None))


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
