#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Alerts over REST and WebSocket, as docs/reference/rest.md and alerts.md say. Usage: test_alerts.py PROGRAM"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import test_rest
from test_rest import NOBODY, PATIENCE, Server, WebSocket

FLOOR = {"name": "DR floor", "type": "class_floor", "class": "DR", "threshold": 0.85}
HIGH = {"name": "loss", "type": "threshold", "metric": "val_loss", "above": 5, "severity": "critical", "actions": ["record", "stop"]}


class Alerts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0

    def setUp(self):
        self.assertEqual(self.ask("POST", "/api/training/alert-rules", {"rules": []})[0], 200)

    def ask(self, *arguments):
        return self.server.ask(*arguments)

    def refused(self, answer, status, field=None):
        self.assertEqual(answer[0], status, answer[1])
        self.assertFalse(answer[1]["success"])
        self.assertEqual(answer[1]["error"]["field"], field)

    def session(self):
        status, reply = self.ask("POST", "/api/training/sessions", {"session_name": "s", "status": "running"})
        self.assertEqual(status, 201, reply)
        return reply["session"]["id"] if "session" in reply else reply["session_id"]

    def log(self, session, epoch, **values):
        status, reply = self.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, **values})
        self.assertEqual(status, 201, reply)
        return reply

    def test_notes(self):
        """What a program adds: told once, over at once, listed."""
        socket = WebSocket(self.server.port)
        socket.wait_for("hello")
        session = self.session()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "note.py")
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        numbers = [int(subprocess.run([sys.executable, script, library, self.server.folder, session, *more], capture_output=True, text=True, check=True,
                                      env=test_rest.child_environment()).stdout) for more in (["Low", "below 0.5", "critical", "7"], ["Done"])]
        message = socket.wait_for("alert", session)["alert"]
        self.assertTrue(message.pop("time").endswith("Z"))
        self.assertEqual(message, {"id": numbers[0], "rule": "Low", "type": "note", "severity": "critical", "metric": "", "message": "below 0.5", "step": 7,
                                   "value": None, "threshold": None, "state": "fired"})
        message = socket.wait_for("alert", session)["alert"]
        self.assertEqual((message["id"], message["state"], message["step"], message["message"]), (numbers[1], "fired", None, "Done"))
        socket.close()
        alerts = self.ask("GET", f"/api/training/alerts?session_id={session}")[1]["alerts"]
        self.assertEqual([(one["id"], one["state"], one["step"]) for one in alerts], [(numbers[1], "recovered", None), (numbers[0], "recovered", 7)])
        self.assertEqual(self.ask("GET", f"/api/training/alerts?session_id={session}&active=true")[1]["count"], 0)
        self.assertEqual(self.ask("POST", f"/api/training/alerts/{numbers[0]}/acknowledge")[0], 200)

    def test_rules(self):
        status, reply = self.ask("POST", "/api/training/alert-rules", {"rules": [FLOOR, HIGH]})
        self.assertEqual((status, reply["success"]), (200, True))
        session = self.session()
        for query in ("", f"?session_id={session}"):
            status, reply = self.ask("GET", f"/api/training/alert-rules{query}")
            self.assertEqual((status, reply["rules"], reply["count"]), (200, [FLOOR, HIGH], 2))
        self.assertEqual(self.ask("POST", "/api/training/alert-rules", {"session_id": session, "rules": [HIGH]})[0], 200)
        self.assertEqual(self.ask("GET", f"/api/training/alert-rules?session_id={session}")[1]["rules"], [HIGH])
        self.assertEqual(self.ask("GET", "/api/training/alert-rules")[1]["rules"], [FLOOR, HIGH])

    def test_refused_rules_change_nothing(self):
        path = "/api/training/alert-rules"
        self.ask("POST", path, {"rules": [FLOOR]})
        command = {"name": "c", "type": "nonfinite", "metric": "m", "actions": ["command"], "command": ["/bin/true"]}
        self.refused(self.ask("POST", path, {"rules": [command]}), 403, "command")
        self.refused(self.ask("POST", path, {"rules": [{"name": "c", "type": "nonfinite"}]}), 400, "rules[0].metric")
        self.refused(self.ask("POST", path, {"rules": [FLOOR, FLOOR]}), 400, "rules[1].name")
        self.refused(self.ask("POST", path, {"rules": [HIGH] * 101}), 400, "rules")
        self.refused(self.ask("POST", path, {"rules": 7}), 400, "rules")
        self.refused(self.ask("POST", path, {}), 400, "rules")
        self.refused(self.ask("POST", path, {"rules": [], "session_id": 7}), 400, "session_id")
        self.refused(self.ask("POST", path, {"rules": [], "session_id": "x"}), 400, "session_id")
        self.refused(self.ask("POST", path, {"rules": [], "session_id": NOBODY}), 404, "session_id")
        self.refused(self.ask("GET", f"{path}?session_id={NOBODY}"), 404, "session_id")
        self.refused(self.ask("GET", f"{path}?session_id=x"), 400, "session_id")
        self.assertEqual(self.ask("GET", path)[1]["rules"], [FLOOR])

    def test_alerts(self):
        self.ask("POST", "/api/training/alert-rules", {"rules": [HIGH]})
        socket = WebSocket(self.server.port)
        socket.wait_for("hello")
        session = self.session()
        self.assertEqual(self.log(session, 1, val_loss=4)["control"], "run")
        self.assertEqual(self.log(session, 2, **{"val/loss": 6})["control"], "stop")
        message = socket.wait_for("alert", session)["alert"]
        time_of = message.pop("time")
        self.assertTrue(time_of.endswith("Z"))
        number = message.pop("id")
        self.assertEqual(message, {"rule": "loss", "type": "threshold", "severity": "critical", "metric": "val_loss", "step": 2, "value": 6, "threshold": 5,
                                   "message": "val_loss is 6, above 5", "state": "fired"})
        query = f"/api/training/alerts?session_id={session}"
        status, reply = self.ask("GET", query + "&active=true&severity=critical")
        self.assertEqual((status, reply["count"], reply["alerts"][0]["id"], reply["alerts"][0]["state"]), (200, 1, number, "fired"))
        self.assertIsNone(reply["alerts"][0]["acknowledged_at"])
        self.assertEqual(reply["alerts"][0]["time"], time_of)
        for _ in range(2):
            status, reply = self.ask("POST", f"/api/training/alerts/{number}/acknowledge")
            self.assertEqual((status, reply["acknowledged"]), (200, True))
        self.assertIsNotNone(self.ask("GET", query)[1]["alerts"][0]["acknowledged_at"])
        self.log(session, 3, val_loss=1)
        message = socket.wait_for("alert", session)["alert"]
        self.assertEqual((message["id"], message["state"], message["step"]), (number, "recovered", 3))
        self.assertEqual(self.ask("GET", query + "&active=true")[1]["alerts"], [])
        alert = self.ask("GET", query + "&active=false")[1]["alerts"][0]
        self.assertEqual((alert["state"], alert["recovered_step"]), ("recovered", 3))
        self.assertEqual(self.ask("GET", query + f"&since_id={number}")[1]["alerts"], [])
        self.assertEqual(self.ask("GET", query + "&severity=info")[1]["alerts"], [])
        self.assertEqual(self.ask("GET", query + f"&changed_since={alert['revision']}")[1]["alerts"], [])
        socket.close()
        status, reply = self.ask("POST", "/api/training/alert-rules/replay", {"session_id": session})
        self.assertEqual((status, reply["count"], reply["alerts"][0]["step"], reply["alerts"][0]["recovered_step"]), (200, 1, 2, 3))
        lower = [{**HIGH, "above": 3}]
        status, reply = self.ask("POST", "/api/training/alert-rules/replay", {"session_id": session, "rules": lower})
        self.assertEqual((status, reply["alerts"][0]["step"]), (200, 1))
        self.assertEqual(self.ask("GET", query)[1]["count"], 1)  # a replay leaves nothing behind

    def test_refused(self):
        path = "/api/training/alerts"
        self.refused(self.ask("GET", f"{path}?session_id=x"), 400, "session_id")
        self.refused(self.ask("GET", f"{path}?session_id={NOBODY}"), 404, "session_id")
        self.refused(self.ask("GET", f"{path}?severity=bad"), 400, "severity")
        self.refused(self.ask("GET", f"{path}?active=1"), 400, "active")
        self.refused(self.ask("GET", f"{path}?limit=1001"), 400, "limit")
        self.refused(self.ask("GET", f"{path}?since_id=-1"), 400, "since_id")
        self.refused(self.ask("GET", f"{path}?changed_since=x"), 400, "changed_since")
        self.refused(self.ask("POST", f"{path}/x/acknowledge"), 400, "id")
        self.refused(self.ask("POST", f"{path}/999999/acknowledge"), 404, "id")
        self.refused(self.ask("GET", f"{path}/1/acknowledge"), 405)
        session = self.session()
        self.refused(self.ask("POST", "/api/training/alert-rules/replay", {"session_id": session, "rules": [{}]}), 400, "rules[0].name")
        self.refused(self.ask("POST", "/api/training/alert-rules/replay", {"session_id": NOBODY}), 404, "session_id")

    def test_critical_conditions(self):
        self.ask("POST", "/api/training/alert-rules", {"rules": [FLOOR, {**FLOOR, "name": "RAO", "class": "RAO", "threshold": 0.99}]})
        session = self.session()
        path = f"/api/metrics/current?session_id={session}"
        conditions = self.ask("GET", path)[1]["metrics"]["critical_conditions"]
        self.assertEqual(conditions, {"DR": {"sensitivity": None, "threshold": 0.85, "status": None},
                                      "RAO": {"sensitivity": None, "threshold": 0.99, "status": None}})
        for value, status in ((0.85, "ok"), (0.84, "warning"), (0.5, "critical")):
            self.log(session, 1, **{"class/DR/sensitivity": value})
            conditions = self.ask("GET", path)[1]["metrics"]["critical_conditions"]
            self.assertEqual(conditions["DR"], {"sensitivity": value, "threshold": 0.85, "status": status})
            self.assertIsNone(conditions["RAO"]["status"])

    def test_validation_results_are_judged(self):
        """A class below its floor: the alert, its message, the conditions; from rows and from a matrix."""
        self.ask("POST", "/api/training/alert-rules", {"rules": [{**FLOOR, "name": "RAO", "class": "RAO", "threshold": 0.99, "actions": ["stop"]}]})
        socket = WebSocket(self.server.port)
        socket.wait_for("hello")
        for path, row in (("validation-results", {"class_name": "RAO", "sensitivity": 0.8}),
                          ("confusion-matrices", {"class_names": ["RAO", "DR"], "matrix": [[8, 2], [0, 1]]})):
            with self.subTest(path=path):
                session = self.session()
                status, reply = self.ask("POST", f"/api/training/{path}", {"session_id": session, "epoch": 3, **row})
                self.assertEqual((status, reply["control"]), (201, "stop"), reply)
                alert = socket.wait_for("alert", session)["alert"]
                self.assertEqual((alert["severity"], alert["state"], alert["metric"], alert["step"], alert["value"]),
                                 ("critical", "fired", "class/RAO/sensitivity", 3, 0.8))
                metrics = self.ask("GET", f"/api/metrics/current?session_id={session}")[1]["metrics"]
                self.assertEqual(metrics["critical_conditions"], {"RAO": {"sensitivity": 0.8, "threshold": 0.99, "status": "critical"}})
                self.assertEqual(metrics["per_class"]["RAO"], 0.8)
                alerts = self.ask("GET", f"/api/training/alerts?session_id={session}&severity=critical")[1]["alerts"]
                self.assertEqual([(one["rule"], one["step"]) for one in alerts], [("RAO", 3)])
                self.ask("POST", f"/api/training/{path}", {"session_id": session, "epoch": 3, **row})
                self.assertEqual(self.ask("GET", f"/api/training/alerts?session_id={session}")[1]["count"], 1)
        socket.close()


# The names are read first, with a descriptor of their own, and then looked at one by one: those that are still there were there before.
SAY = ("for fd in /proc/$$/fd/*; do if [ -e $fd ]; then open=\"$open ${fd##*/}\"; fi; done;"
       " echo $TRAINMON_ALERT_RULE $TRAINMON_ALERT_TYPE $TRAINMON_ALERT_METRIC $TRAINMON_ALERT_STEP $TRAINMON_ALERT_VALUE $TRAINMON_ALERT_THRESHOLD"
       " $TRAINMON_SESSION_ID fds $open $TRAINMON_TOKEN $SECRET >>$0")


class Commands(unittest.TestCase):
    """A session that is fed over REST: the server runs what its own file declares, and nothing else."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trainmon-alerts-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.said = os.path.join(self.folder, "said")
        self.server = None

    def serve(self, rules, store="store"):
        path = os.path.join(self.folder, "rules.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rules, file)
        self.server = Server("--alert-rules", path, store=os.path.join(self.folder, store), environment={"SECRET": "secret"})
        self.addCleanup(self.server.process.stdout.close)
        self.addCleanup(self.server.process.kill)

    def rule(self, script=SAY, **fields):
        return {"name": "loss", "type": "threshold", "metric": "val_loss", "above": 5, "actions": ["callback", "command"],
                "command": ["/bin/sh", "-c", script, self.said]} | fields

    def session(self):
        return self.server.ask("POST", "/api/training/sessions", {"session_name": "s", "status": "running"})[1]["session"]["id"]

    def log(self, session, epoch, value):
        status, reply = self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "val_loss": value})
        self.assertEqual(status, 201, reply)

    def lines(self, count):
        end = time.monotonic() + PATIENCE
        found = []
        while len(found) < count and time.monotonic() < end:
            time.sleep(0.05)
            if os.path.exists(self.said):
                with open(self.said, encoding="utf-8") as file:
                    found = [line for line in file.read().split("\n")[:-1]]
        return found

    def log_lines(self, count):
        """Of ends in logs/monitoring.log; an end stands there when the server has seen that nothing of the command is left."""
        end = time.monotonic() + PATIENCE
        found = []
        while len(found) < count and time.monotonic() < end:
            time.sleep(0.05)
            try:
                with open(os.path.join(self.server.folder, "logs/monitoring.log"), encoding="utf-8") as file:
                    found = [line.split(" ", 1)[1].strip() for line in file if " alert-command " in line and line.endswith("\n")]
            except FileNotFoundError:
                pass
        return found

    def test_epochs_and_results_run_the_command(self):
        floor = self.rule(name="DR; floor", type="class_floor", threshold=0.85)
        floor["class"] = "DR"
        del floor["metric"], floor["above"]
        self.serve([self.rule(), floor])
        session = self.session()
        self.log(session, 1, 4)
        self.log(session, 2, 6)
        self.assertEqual(self.lines(1), [f"loss threshold val_loss 2 6 5 {session} fds 0 1 2"])
        self.assertEqual(len(self.log_lines(1)), 1)
        row = {"session_id": session, "epoch": 3, "class_name": "DR", "sensitivity": 0.5}
        self.assertEqual(self.server.ask("POST", "/api/training/validation-results", row)[0], 201)
        self.assertEqual(self.lines(2)[1:], [f"DR; floor class_floor class/DR/sensitivity 3 0.5 0.85 {session} fds 0 1 2"])
        self.assertEqual(len(self.log_lines(2)), 2)
        matrix = {"session_id": session, "epoch": 4, "class_names": ["DR", "RAO"], "matrix": [[9, 1], [0, 1]]}
        self.assertEqual(self.server.ask("POST", "/api/training/confusion-matrices", matrix)[0], 201)
        self.log(session, 4, 7)  # still firing: nothing new
        self.log(session, 5, 1)  # recovers: nothing is run
        self.assertEqual(len(self.log_lines(2)), 2)
        matrix |= {"epoch": 5, "matrix": [[1, 9], [0, 1]]}
        self.assertEqual(self.server.ask("POST", "/api/training/confusion-matrices", matrix)[0], 201)
        self.assertEqual(len(self.lines(3)), 3)
        self.assertIn("DR; floor class_floor class/DR/sensitivity 5 0.1 0.85", self.lines(3)[2])
        self.assertRegex(self.log_lines(3)[0], rf'^alert-command session={session} alert=\d+ rule="loss" status=0$')
        self.assertEqual(self.server.close(), 0)

    def test_only_what_the_file_declares_is_run(self):
        self.serve([self.rule()])
        old, bare, other = self.session(), self.session(), self.session()
        path = "/api/training/alert-rules"
        # The name of a declared rule over REST, without and with a command.
        taken = {"name": "loss", "type": "threshold", "metric": "val_loss", "above": 1}
        self.assertEqual(self.server.ask("POST", path, {"session_id": bare, "rules": [taken]})[0], 200)
        for command in (["/bin/sh", "-c", "echo no >>$0", self.said], self.rule()["command"]):
            body = {"session_id": other, "rules": [self.rule(command=command)]}
            self.assertEqual(self.server.ask("POST", path, body)[1]["error"]["field"], "command")
            status, _ = self.server.ask("POST", path + "/replay", {**body, "session_id": old})
            self.assertEqual(status, 200)
        self.log(bare, 1, 6)
        self.assertEqual(self.server.close(), 0)
        # A session that has kept the command of another file.
        self.serve([self.rule("echo another $TRAINMON_SESSION_ID >>$0")])
        new = self.session()
        self.log(old, 1, 6)
        self.log(new, 1, 6)
        self.assertEqual(self.lines(1), [f"another {new}"])
        self.assertEqual(len(self.log_lines(1)), 1)
        for session in (old, new, bare):
            self.assertEqual(self.server.ask("GET", f"/api/training/alerts?session_id={session}")[1]["count"], 1)
        self.assertEqual(self.server.close(), 0)
        self.assertEqual(self.lines(1), [f"another {new}"])

    def test_a_stall_that_is_over_runs_and_stops_nothing(self):
        stalled = {**self.rule(), "type": "stalled", "seconds": 0.3, "actions": ["stop", "command"]}
        del stalled["above"]
        self.serve([stalled])
        session = self.session()
        self.log(session, 1, 1)
        time.sleep(0.5)
        status, reply = self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 2, "val_loss": 1})
        self.assertEqual((status, reply["control"]), (201, "run"))
        self.assertEqual(self.server.ask("GET", f"/api/training/alerts?session_id={session}")[1]["alerts"][0]["state"], "recovered")
        self.assertEqual(self.server.close(), 0)
        self.assertFalse(os.path.exists(self.said))

    def test_a_command_that_does_not_end(self):
        """The server goes on, runs one a rule at a time, and leaves nothing behind when it ends."""
        self.serve([self.rule("trap '' TERM; echo $$ >>$0; while :; do sleep 1; done")])
        session = self.session()
        self.log(session, 1, 6)
        pid = int(self.lines(1)[0])
        for epoch in range(2, 8):
            self.log(session, epoch, epoch % 2 * 6)
        self.assertEqual(self.server.ask("GET", f"/api/training/alerts?session_id={session}")[1]["count"], 4)
        os.kill(pid, 0)
        self.assertEqual(self.server.close(), 0)
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)
        self.assertEqual(self.lines(1), [str(pid)])
        self.assertRegex(self.log_lines(1)[0], 'rule="loss" signal=9$')

    def test_a_command_that_is_not_there(self):
        self.serve([self.rule(command=["/nowhere/program"])])
        session = self.session()
        self.log(session, 1, 6)
        self.assertRegex(self.log_lines(1)[0], 'rule="loss" error=.*/nowhere/program')
        self.assertEqual(self.server.close(), 0)


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main()
