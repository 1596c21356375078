#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""/metrics, read by a strict parser of the text format 0.0.4. Usage: test_prometheus.py PROGRAM [unittest arguments]"""
import functools
import os
import re
import subprocess
import sys
import time
import unittest

import test_rest
from test_access import READ, SESSION, WRITE, bearer, token_file
from test_rest import PATIENCE, Server, WebSocket, child_environment

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
VALUE = re.compile(r"NaN|[+-]Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parse(text):
    """{name: (type, [(labels, value)])}; any break of the format is a ValueError: each family once, HELP and TYPE before its samples, no sample twice."""
    families, current, seen = {}, None, set()
    if not text.endswith("\n"):
        raise ValueError("the last line has no line feed")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            if not NAME.fullmatch(name) or not words or name in families:
                raise ValueError(line)
            families[name], current = None, name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if name != current or families[name] is not None or kind not in ("counter", "gauge"):
                raise ValueError(line)
            families[name] = (kind, [])
        else:
            name = NAME.match(line).group()
            at, labels = len(name), {}
            if name != current or families[name] is None:
                raise ValueError(line)
            if line[at] == "{":
                while line[at] != "}":
                    label = LABEL.match(line, at + 1)
                    if label is None or label[1] in labels:
                        raise ValueError(line)
                    labels[label[1]] = re.sub(r"\\.", lambda found: UNESCAPED[found.group()], label[2])
                    at = label.end()
                    if line[at] not in ",}":
                        raise ValueError(line)
                at += 1
            if line[at] != " " or not VALUE.fullmatch(line, at + 1):
                raise ValueError(line)
            key = (name, tuple(sorted(labels.items())))
            if key in seen or (families[name][0] == "counter" and float(line[at + 1:]) < 0):
                raise ValueError(line)
            seen.add(key)
            families[name][1].append((labels, float(line[at + 1:])))
    return families


class Prometheus(unittest.TestCase):
    def serve(self, *arguments):
        server = Server(*arguments)
        self.addCleanup(lambda: self.assertEqual(server.close(), 0))
        return server

    def read(self, server, headers=None):
        status, body = server.ask("GET", "/metrics", headers=headers)
        self.assertEqual((status, server.headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return parse(body.decode("utf-8"))

    def value(self, families, family, **labels):
        found = [value for has, value in families[family][1] if labels.items() <= has.items()]
        self.assertEqual(len(found), 1, (family, labels, families[family]))
        return found[0]

    def test_parser_is_strict(self):
        for text in ("a 1", "a 1\n", "# HELP a b\n# TYPE a gauge\na{x=\"\\q\"} 1\n", "# HELP a b\n# TYPE a gauge\na x\n", "# HELP a b\n# TYPE a gauge\na 1\na 1\n"):
            with self.assertRaises((ValueError, AttributeError), msg=text):
                parse(text)

    def test_an_empty_store(self):
        families = self.read(self.serve())
        self.assertEqual({labels["status"]: value for labels, value in families["trainmon_sessions"][1]},
                         dict.fromkeys(("pending", "running", "completed", "failed", "cancelled", "interrupted"), 0))
        self.assertEqual(families["trainmon_metric_value"][1], [])

    def test_sessions_alerts_and_requests(self):
        server = self.serve()
        odd = 'back\\slash "quote"\nline é'
        _, reply = server.ask("POST", "/api/training/sessions", SESSION | {"session_name": odd, "epochs": 4})
        session = reply["session"]["id"]
        server.ask("POST", "/api/training/sessions", SESSION | {"status": "completed"})
        rules = [{"name": "high", "type": "threshold", "metric": "val_loss", "above": 2, "severity": "critical"}]
        self.assertEqual(server.ask("POST", "/api/training/alert-rules", {"session_id": session, "rules": rules})[0], 200)
        self.assertEqual(server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 1, "val_loss": 3.5})[0], 201)
        self.assertEqual(server.ask("GET", "/api/nothing")[0], 404)
        websocket = WebSocket(server.port)
        websocket.receive()
        families = self.read(server)
        websocket.close()
        value = functools.partial(self.value, families)
        self.assertEqual((value("trainmon_sessions", status="running"), value("trainmon_sessions", status="completed")), (1, 1))
        self.assertEqual(value("trainmon_session_progress_percent", session=session, name=odd), reply_percent(server, session))
        self.assertEqual(value("trainmon_points_dropped_total", session=session), 0)
        self.assertEqual((value("trainmon_alerts_active", severity="critical"), value("trainmon_alerts_active", severity="warning")), (1, 0))
        self.assertEqual((value("trainmon_http_requests_total", code="4xx"), value("trainmon_websocket_clients")), (1, 1))
        self.assertGreaterEqual(value("trainmon_http_requests_total", code="2xx"), 4)
        with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        self.assertLess(abs(value("process_resident_memory_bytes") - resident), resident / 2)
        self.assertGreater(value("trainmon_memory_total_bytes"), 1e6)
        self.assertEqual(families["trainmon_http_requests_total"][0], "counter")
        # Nobody is called for what can recover no more.
        self.assertEqual(server.ask("PATCH", f"/api/training/sessions/{session}", {"status": "completed"})[0], 200)
        self.assertEqual(server.ask("GET", "/api/training/alerts?active=true")[1]["count"], 1)
        self.assertEqual(self.value(self.read(server), "trainmon_alerts_active", severity="critical"), 0)

    def test_metrics_of_a_trainer_are_capped(self):
        server = self.serve()
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        trainer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainer.py")
        process = subprocess.Popen([sys.executable, trainer, library, server.folder, "250"], stdout=subprocess.PIPE, text=True, env=child_environment())
        try:
            session = process.stdout.readline().strip()
            end = time.monotonic() + PATIENCE
            families = self.read(server)
            while self.value(families, "trainmon_metrics_left_out", session=session) < 50 and time.monotonic() < end:
                time.sleep(0.1)
                families = self.read(server)
            self.assertEqual(self.value(families, "trainmon_metrics_left_out", session=session), 50)
            values = families["trainmon_metric_value"][1]
            self.assertEqual((len(values), len({labels["key"] for labels, _ in values})), (200, 200))
            self.assertLess(abs(values[0][1] - time.time()), 60, "it logs the time")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_right(self):
        server = self.serve("--token-file", token_file(self, WRITE), "--read-token-file", token_file(self, READ))
        self.assertEqual(server.ask("GET", "/metrics")[0], 401)
        self.read(server, bearer(READ))
        self.assertEqual(server.ask("POST", "/metrics", {}, bearer(WRITE))[0], 405)


def reply_percent(server, session):
    return server.ask("GET", f"/api/training/sessions/{session}")[1]["session"]["progress"]["percent"]


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main()
