#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""
The monitor document, field by field and variable by variable: messages, paths without an id, environment and log files, with a trainer in C and one over
REST. Usage: test_monitor.py PROGRAM
"""
import datetime
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import test_rest
from test_rest import PATIENCE, Server, WebSocket

FLOORS = {"RAO": 0.99, "RVO": 0.97, "Retinal_Detachment": 0.99}
# interface MetricsUpdate of the document; a number may be null, since a run need not have it.
FIELDS = {
    "type": str, "epoch": (int, None), "batch": (int, None), "total_batches": (int, None), "timestamp": str, "session_id": str,
    "metrics": {"loss": {"train": (float, None), "val": (float, None)}, "accuracy": {"train": (float, None), "val": (float, None)},
                "auc_roc": {"macro": (float, None), "weighted": (float, None)}, "f1_score": (float, None), "learning_rate": (float, None),
                "critical_conditions": dict, "per_class": dict},
    "system": {"gpu_usage": (float, None), "gpu_memory": (float, None), "gpu_memory_mb": (float, None), "gpu_temp": (float, None), "ram_usage": (float, None),
               "eta_seconds": (float, None)},
}


def is_a(value, kinds):
    """Whether a JSON value is one of the kinds; whole numbers are floats too, and true is no number."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(value is None if kind is None else
               isinstance(value, (int, float)) and not isinstance(value, bool) if kind is float else
               type(value) is kind for kind in kinds)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Monitor(unittest.TestCase):
    def setUp(self):
        self.servers = []
        self.trainers = []

    def tearDown(self):
        for trainer in self.trainers:
            trainer.kill()
            trainer.wait()
        for server in self.servers:
            self.assertEqual(server.close(), 0)

    def serve(self, *arguments, **more):
        self.servers.append(Server(*arguments, **more))
        return self.servers[-1]

    def train(self, store, *arguments):
        """The digits, trained by a C program. Few images a step and many epochs: it goes on until it is told to stop."""
        program = pathlib.Path(test_rest.PROGRAM).parents[1] / "digits/trainmon-digits"
        if not program.exists():
            self.skipTest("trainmon-digits is not built")
        self.trainers.append(subprocess.Popen([program, "--store", store, "--epochs", "1000000", "--hidden", "16", "--copies", "0", "--quiet", *arguments]))
        return self.trainers[-1]

    def until(self, check, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            time.sleep(0.05)
        self.fail(f"not within {seconds} s: {check}")

    def get(self, server, path):
        status, reply = server.ask("GET", path)
        self.assertEqual(status, 200, reply)
        return reply

    def post(self, server, path, body=None, expected=200):
        status, reply = server.ask("POST", path, body)
        self.assertEqual(status, expected, reply)
        return reply

    def fits(self, value, fields, where="message"):
        for name, kind in fields.items():
            self.assertIn(name, value, where)
            if isinstance(kind, dict):
                self.assertIsInstance(value[name], dict, f"{where}.{name}")
                self.fits(value[name], kind, f"{where}.{name}")
            else:
                self.assertTrue(is_a(value[name], kind), f"{where}.{name} is {value[name]!r}")

    def is_update(self, message):
        """All that the document says of a MetricsUpdate, and the bounds that its names promise."""
        self.fits(message, FIELDS)
        self.assertEqual(message["type"], "metrics_update")
        metrics, system = message["metrics"], message["system"]
        shares = [*metrics["accuracy"].values(), *metrics["auc_roc"].values(), metrics["f1_score"], *metrics["per_class"].values()]
        self.assertTrue(all(value is None or 0 <= value <= 1 for value in shares), metrics)
        for name in ("gpu_usage", "gpu_memory", "ram_usage"):
            self.assertTrue(system[name] is None or 0 <= system[name] <= 100, system)
        self.assertTrue(system["eta_seconds"] is None or system["eta_seconds"] >= 0, system)
        for condition in metrics["critical_conditions"].values():
            self.fits(condition, {"sensitivity": (float, None), "threshold": float, "status": (str, None)}, "condition")
            self.assertIn(condition["status"], ("ok", "warning", "critical", None))
        self.assertGreaterEqual(message["epoch"] or 0, 0)
        self.assertLessEqual(0, message["batch"] or 0)
        self.assertLessEqual(message["batch"] or 0, message["total_batches"] or 1e9)
        self.assertEqual([message["epoch"], message["batch"]], [message["session"]["progress"][name] for name in ("epoch", "batch")])
        self.assertRegex(message["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        said = datetime.datetime.fromisoformat(message["timestamp"].replace("Z", "+00:00"))
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - said).total_seconds()), 60)

    def test_a_trainer_in_c(self):
        server = self.serve(environment={"MONITORING_CACHE_SIZE": "50"})
        self.assertEqual(self.get(server, "/api/status")["is_training"], False)
        self.assertEqual(server.ask("GET", "/api/metrics/current")[0], 404)
        websocket = WebSocket(server.port)
        self.assertEqual(websocket.receive()["type"], "hello")
        trainer = self.train(server.folder)
        started = websocket.wait_for("training_started")["session_id"]
        message = websocket.wait_for("metrics_update")

        def whole(one):
            """Of the first epochs and of a sample of the sensors; the figures of an epoch may come in two messages."""
            metrics, system = one["metrics"], one["system"]
            figures = (*metrics["loss"].values(), *metrics["accuracy"].values(), metrics["learning_rate"], system["ram_usage"], system["eta_seconds"])
            return None not in figures and one["epoch"] > 0

        while not whole(message):
            self.is_update(message)
            message = websocket.wait_for("metrics_update")
        self.is_update(message)
        self.assertEqual(message["session_id"], started)
        current = self.get(server, "/api/metrics/current")
        self.is_update(current)
        self.until(lambda: len(self.get(server, "/api/metrics/history?key=train/loss")["history"]["train/loss"]) == 50)
        for one in (message, current):
            metrics = one["metrics"]
            self.assertTrue(all(value > 0 for value in (*metrics["loss"].values(), *metrics["accuracy"].values(), metrics["learning_rate"])), metrics)
            self.assertGreater(one["epoch"], 0)
            self.assertGreater(one["total_batches"], 0)
            # This trainer has no such figures: null, not 0.
            self.assertEqual(metrics["auc_roc"], {"macro": None, "weighted": None})
            self.assertEqual(metrics["critical_conditions"], {})
            self.assertGreater(one["system"]["ram_usage"], 0)
            self.assertGreater(one["system"]["eta_seconds"], 0)

        status = self.get(server, "/api/status")
        self.assertEqual(([one["id"] for one in status["active_sessions"]], status["is_training"]), ([started], True))
        history = self.get(server, "/api/metrics/history?key=train/loss&key=val/accuracy")
        self.assertEqual((history["session_id"], set(history["history"])), (started, {"train/loss", "val/accuracy"}))
        points = history["history"]["train/loss"]
        self.assertEqual(len(points), 50)
        self.assertEqual(set(points[0]), {"step", "time", "value"})
        steps = [point["step"] for point in points]
        self.assertEqual(steps, list(range(steps[0], steps[0] + len(steps))), "a window of the latest points has no gaps")
        self.assertIn("learning_rate", self.get(server, "/api/metrics/history")["history"])

        # The paths without an id mean the only live one.
        self.assertEqual(self.post(server, "/api/training/pause"), {"success": True, "session_id": started, "control": "pause"})
        self.until(lambda: self.get(server, "/api/status")["active_sessions"][0]["paused"])
        def step():
            return self.get(server, "/api/metrics/current")["points"]["train/loss"]["step"]
        self.until(lambda: (lambda held, _: step() == held)(step(), time.sleep(0.5)))  # some may be on their way yet
        self.assertEqual(self.get(server, "/api/status")["is_training"], True)
        self.assertEqual(self.post(server, "/api/training/stop")["control"], "stop")
        self.assertEqual(trainer.wait(PATIENCE), 0)
        self.assertEqual(websocket.wait_for("training_completed")["session"]["status"], "cancelled")
        websocket.close()
        self.assertEqual(self.get(server, "/api/status")["is_training"], False)
        self.is_update(self.get(server, "/api/metrics/current"))
        for path in ("pause", "resume", "stop"):
            self.assertEqual(server.ask("POST", f"/api/training/{path}")[0], 404, path)

    def test_classes_and_conditions(self):
        server = self.serve()
        websocket = WebSocket(server.port)
        websocket.wait_for("hello")
        session = self.post(server, "/api/training/sessions", {"session_name": "RETFound", "status": "running", "epochs": 10}, 201)["session"]["id"]
        rules = [{"name": name, "type": "class_floor", "class": name, "threshold": floor} for name, floor in FLOORS.items()]
        self.post(server, "/api/training/alert-rules", {"session_id": session, "rules": rules})
        blank = self.get(server, "/api/metrics/current")
        self.is_update(blank)
        self.assertEqual(blank["metrics"]["critical_conditions"], {name: {"sensitivity": None, "threshold": floor, "status": None} for name, floor in FLOORS.items()})
        self.assertEqual((blank["metrics"]["per_class"], blank["metrics"]["f1_score"], blank["metrics"]["loss"]), ({}, None, {"train": None, "val": None}))

        websocket.wait_for("training_started", session)  # what came before that is read over REST
        values = {"train/loss": 0.5, "val_loss": 0.75, "accuracy": 0.875, "val_accuracy": 0.8125, "auc_roc_macro": 0.96875, "auc_roc_weighted": 0.984375,
                  "f1_score": 0.75, "learning_rate": 0.001, "gpu_usage": 87.5, "gpu_memory": 50, "gpu_memory_mb": 8432, "gpu_temp": 71, "ram_usage": 42}
        # At its threshold, below it by the margin, below it by more.
        seen = {"RAO": 0.99, "RVO": 0.955, "Retinal_Detachment": 0.9}
        self.post(server, "/api/training/metrics", {"session_id": session, "epoch": 3} | values | {f"class/{name}/sensitivity": value for name, value in seen.items()}, 201)
        rows = [{"class_name": f"class {number}", "class_group": "fundus" if number < 18 else "OCT", "sensitivity": number / 28} for number in range(28)]
        self.post(server, "/api/training/validation-results", {"session_id": session, "epoch": 3, "results": rows}, 201)
        live = websocket.wait_for("metrics_update", session)
        while len(live["metrics"]["per_class"]) < 28:
            live = websocket.wait_for("metrics_update", session)
        for one in (live, self.get(server, "/api/metrics/current"), self.get(server, f"/api/metrics/current?session_id={session}")):
            self.is_update(one)
            metrics = one["metrics"]
            self.assertEqual((metrics["loss"], metrics["accuracy"]), ({"train": 0.5, "val": 0.75}, {"train": 0.875, "val": 0.8125}))
            self.assertEqual((metrics["auc_roc"], metrics["f1_score"], metrics["learning_rate"]), ({"macro": 0.96875, "weighted": 0.984375}, 0.75, 0.001))
            self.assertEqual({name: (one["sensitivity"], one["threshold"], one["status"]) for name, one in metrics["critical_conditions"].items()},
                             {"RAO": (0.99, 0.99, "ok"), "RVO": (0.955, 0.97, "warning"), "Retinal_Detachment": (0.9, 0.99, "critical")})
            self.assertEqual({name: metrics["per_class"][name] for name in (row["class_name"] for row in rows)}, {row["class_name"]: row["sensitivity"] for row in rows})
            system = dict(one["system"])
            self.assertTrue(is_a(system.pop("eta_seconds"), (float, None)))
            self.assertEqual(system, {"gpu_usage": 87.5, "gpu_memory": 50, "gpu_memory_mb": 8432, "gpu_temp": 71, "ram_usage": 42})
        websocket.close()

    def test_history_of_a_trainer_over_rest(self):
        server = self.serve()
        session = self.post(server, "/api/training/sessions", {"session_name": "r", "status": "running"}, 201)["session"]["id"]
        for epoch in range(5):
            self.post(server, "/api/training/metrics", {"session_id": session, "epoch": epoch, "total_loss": 1 / (epoch + 1), "mine": epoch}, 201)
        history = self.get(server, f"/api/metrics/history?session_id={session}&limit=3")["history"]
        self.assertEqual([(point["step"], point["value"]) for point in history["total_loss"]], [(2, 1 / 3), (3, 1 / 4), (4, 1 / 5)])
        self.assertEqual([point["value"] for point in history["mine"]], [2, 3, 4])
        self.assertTrue(all(point["time"] > 1e15 for point in history["mine"]))
        one = self.get(server, f"/api/metrics/history?session_id={session}&key=mine")["history"]
        self.assertEqual((list(one), len(one["mine"])), (["mine"], 5))
        status, reply = server.ask("GET", f"/api/metrics/history?session_id={session}&key=nothing")
        self.assertEqual((status, reply["error"]["field"]), (404, "key"))

    def heard_until_the_end(self, websocket, session):
        heard = []
        while not heard or heard[-1]["type"] != "training_completed":
            heard.append(websocket.receive())
            if heard[-1].get("session_id") != session:
                heard.pop()
        return heard

    def test_each_epoch_over_rest_is_told_once_and_before_the_end(self):
        server = self.serve()
        for known in (True, False) * 8:
            websocket = WebSocket(server.port)
            websocket.receive()
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

            def send(method, path, body, expected):
                connection.request(method, path, json.dumps(body).encode(), {"Content-Type": "application/json"})
                reply = connection.getresponse()
                text = reply.read()
                self.assertEqual(reply.status, expected, text)
                return json.loads(text)

            session = send("POST", "/api/training/sessions", {"session_name": "quick", "status": "running" if known else "pending"}, 201)["session"]["id"]
            if known:
                websocket.wait_for("training_started", session)
            for epoch in range(5):
                send("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "total_loss": 1 / (epoch + 1)}, 201)
            send("PATCH", f"/api/training/sessions/{session}", {"status": "completed"}, 200)
            heard = self.heard_until_the_end(websocket, session)
            kinds = [message["type"] for message in heard]
            self.assertEqual(kinds.count("training_started"), 0 if known else 1, kinds)
            told = [(message["epoch"], message["metrics"]["loss"]["train"]) for message in heard if message["type"] == "metrics_update"]
            self.assertEqual(told[-1:], [(5, 1 / 5)], kinds)
            self.assertEqual(told, sorted(set(told)), kinds)
            for message in heard:
                if message["type"] == "metrics_update":
                    self.is_update(message)
                    self.assertIsNone(message["batch"])  # epochs over REST have none: null, not 0
            connection.close()
            websocket.close()

    def test_an_epoch_over_rest_is_one_update(self):
        server = self.serve()
        websocket = WebSocket(server.port)
        websocket.receive()
        session = self.post(server, "/api/training/sessions", {"session_name": "slow"}, 201)["session"]["id"]
        told = []
        # The same values again, and an epoch before the latest, are epochs that were posted too. One at a time, so that nothing is coalesced.
        for epoch in (0, 1, 1, 5, 3):
            self.post(server, "/api/training/metrics", {"session_id": session, "epoch": epoch, "total_loss": epoch / 8}, 201)
            told.append(websocket.wait_for("metrics_update", session))
        self.assertEqual([message["metrics"]["loss"]["train"] for message in told], [0, 1 / 8, 1 / 8, 5 / 8, 5 / 8])
        time.sleep(0.5)  # a second message about an epoch would come with the next look at the store
        self.assertEqual(server.ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed"})[0], 200)
        self.assertEqual([message["type"] for message in self.heard_until_the_end(websocket, session)], ["training_completed"])
        websocket.close()

    def test_several_live_ones_are_not_guessed(self):
        server = self.serve()
        made = {self.post(server, "/api/training/sessions", {"session_name": name, "status": "running"}, 201)["session"]["id"] for name in "ab"}
        for method, path in (("POST", "/api/training/pause"), ("POST", "/api/training/stop"), ("POST", "/api/training/resume"), ("GET", "/api/metrics/current"),
                             ("GET", "/api/metrics/history")):
            status, reply = server.ask(method, path)
            self.assertEqual((status, reply["error"]["field"]), (409, "session_id"), path)
            self.assertEqual({one["id"] for one in reply["error"]["sessions"]}, made, path)
        one = made.pop()
        self.assertEqual(self.post(server, "/api/training/pause", {"session_id": one})["session_id"], one)
        self.assertEqual(self.get(server, f"/api/metrics/current?session_id={one}")["session_id"], one)

    def test_start(self):
        status, reply = self.serve().ask("POST", "/api/training/start")
        self.assertEqual((status, reply["error"]["code"]), (409, "no_recipe"))
        self.assertIn("--recipes", reply["error"]["message"])
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "recipes.json")
            pathlib.Path(file).write_text(json.dumps({"recipes": {"only": {"command": [sys.executable, "-c", "print('here')"]}}}))
            server = self.serve("--recipes", file)
            session = self.post(server, "/api/training/start", None, 201)["session_id"]
            self.until(lambda: self.get(server, f"/api/training/sessions/{session}")["session"]["status"] == "failed")
            self.assertEqual(self.get(server, f"/api/training/sessions/{session}/output")["output"], "here\n")

    def test_log_files(self):
        server = self.serve()
        WebSocket(server.port).close()
        self.post(server, "/api/training/sessions", {"session_name": "a"}, 201)
        logs = pathlib.Path(server.folder) / "logs"
        for name, line in (("monitoring.log", r"^\S+Z write peer=127\.0\.0\.1 .*status=201$"), ("websocket.log", r"^\S+Z connect peer=127\.0\.0\.1 number=1 ")):
            with self.subTest(name):
                self.until(lambda: (logs / name).exists() and re.search(line, (logs / name).read_text(), re.M))

    def test_metrics_log(self):
        server = self.serve()
        session = self.post(server, "/api/training/sessions", {"session_name": "a", "status": "running"}, 201)["session"]["id"]
        self.post(server, "/api/training/metrics", {"session_id": session, "epoch": 1, "total_loss": 0.5}, 201)
        file = pathlib.Path(server.folder) / "logs/metrics.log"
        self.until(lambda: file.exists() and session in file.read_text() and "0.5" in file.read_text())


class Environment(unittest.TestCase):
    """The program as the document starts it: without an argument."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trainmon-monitor-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *arguments, **variables):
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MONITORING_", "WS_"))}
        program = subprocess.Popen([test_rest.PROGRAM, *arguments], cwd=self.folder, env=inherited | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.kill)
        return program

    def start_on_a_port(self, start):
        """The program that `start` starts on a port, and that port. One that was free may be another's a moment later."""
        for _ in range(20):
            port = free_port()
            program = start(port)
            line = program.stdout.readline()
            if line:
                self.assertRegex(line, f":{port}/\n$")
                return program, port
            error = program.communicate()[1]
            self.assertIn("is taken", error)
        self.fail(error)

    def test_the_documents_values(self):
        program, port = self.start_on_a_port(lambda port: self.start(
            MONITORING_HOST="localhost", MONITORING_PORT=str(port), MONITORING_DEBUG="true", MONITORING_DB_PATH="./monitoring.db", MONITORING_CACHE_SIZE="7",
            WS_UPDATE_FREQUENCY="4", WS_MAX_CONNECTIONS="2"))
        try:
            server = Server.__new__(Server)
            server.port, server.folder = port, str(self.folder / "monitoring")
            # A file's name means the folder of that name.
            self.assertTrue((self.folder / "monitoring/trainmon.db").is_file())
            self.assertFalse((self.folder / "monitoring.db").exists())
            status, reply = server.ask("GET", "/api/status")
            self.assertEqual((status, os.path.realpath(reply["store"])), (200, os.path.realpath(server.folder)))

            first, second, third = (WebSocket(port) for _ in range(3))
            self.assertEqual((first.status, second.status, third.status), (101, 101, 503))
            self.assertEqual(first.receive()["updates_per_second"], 4)
            session = server.ask("POST", "/api/training/sessions", {"session_name": "a", "status": "running"})[1]["session"]["id"]
            first.wait_for("training_started", session)
            # Three times as many writes as there may be updates, over two seconds at least.
            begun = time.monotonic()
            for epoch in range(24):
                self.assertEqual(server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "total_loss": epoch})[0], 201)
                time.sleep(1 / 12)
            heard = []
            while not heard or heard[-1]["metrics"]["loss"]["train"] != 23:
                heard.append(first.wait_for("metrics_update", session))
            self.assertLessEqual(len(heard), 4 * (time.monotonic() - begun) + 2)
            self.assertGreater(len(heard), 2)
            for one in (first, second, third):
                one.close()
            # Debugging: reads have their line too.
            log = self.folder / "monitoring/logs/monitoring.log"
            end = time.monotonic() + PATIENCE
            while "read peer=127.0.0.1 right=write method=GET path=\"/api/status\" status=200" not in (log.read_text() if log.exists() else ""):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
        finally:
            program.terminate()
            self.assertEqual(program.wait(PATIENCE), 0)
            program.stdout.close()
            program.stderr.close()

    def test_options_win(self):
        program, _ = self.start_on_a_port(lambda port: self.start("other", "--port", str(port), MONITORING_PORT="1", MONITORING_DB_PATH="./monitoring.db",
                                                                  MONITORING_DEBUG="false", MONITORING_HOST="127.0.0.1"))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["other"])
        program.terminate()
        program.communicate(timeout=PATIENCE)

    def test_wrong_values_are_named(self):
        for name, value in (("MONITORING_PORT", "65536"), ("MONITORING_PORT", "http"), ("MONITORING_CACHE_SIZE", "-1"), ("MONITORING_CACHE_SIZE", "1e3"),
                            ("WS_UPDATE_FREQUENCY", "61"), ("WS_UPDATE_FREQUENCY", "fast"), ("WS_MAX_CONNECTIONS", "401"), ("MONITORING_DEBUG", "perhaps")):
            with self.subTest(name, value=value):
                program = self.start("store", **{name: value})
                out, error = program.communicate(timeout=PATIENCE)
                self.assertEqual((program.returncode, out), (2, ""))
                self.assertIn(name, error)


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
