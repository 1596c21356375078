#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""/openapi.json against the route table, and real replies against /openapi.json. Usage: test_openapi.py PROGRAM [unittest arguments]"""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import jsonschema

import test_rest
from test_rest import NOBODY, Server, child_environment

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
ROUTE = re.compile(r'\{TMON_METHOD_(\w+), "([^"]+)", TMON_RIGHT_(\w+), (\w+), (\w+)\}')
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
RECIPES = {"recipes": {"short": {"title": "Short", "command": ["/bin/sleep", "{epochs}"], "default": True,
                                 "parameters": {"epochs": {"type": "integer", "minimum": 1, "maximum": 600, "default": 3}}}}}


def route_table():
    """{(method, path): (right, takes a body)} of the built server's sources."""
    with open(os.path.join(ROOT, "lib/serve/router.c"), encoding="utf-8") as file:
        text = file.read()
    table = text[text.index("tmon_route routes[] = {"):]
    table = table[:table.index("\n};")]
    found = ROUTE.findall(table)
    assert len(found) == table.count("TMON_METHOD_"), "a row of the table is written in another way than this test reads"
    return {(method.lower(), path.replace("/images/{id}", "/images/{hash}")): (right.lower(), limit != "0") for method, path, right, limit, _ in found}


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(RECIPES, file)
        cls.recipes = file.name
        cls.server = Server("--recipes", file.name)
        status, cls.document = cls.server.ask("GET", "/openapi.json")
        assert status == 200
        cls.asked = set()

    @classmethod
    def tearDownClass(cls):
        os.unlink(cls.recipes)
        assert cls.server.close() == 0, "SIGTERM did not end the server cleanly"

    def schema(self, schema):
        return jsonschema.Draft202012Validator(dict(schema, components=self.document["components"]), format_checker=jsonschema.FormatChecker())

    def valid(self, schema, value, what):
        errors = sorted(self.schema(schema).iter_errors(value), key=lambda error: error.json_path)
        self.assertEqual([f"{what}: {error.json_path}: {error.message[:300]}" for error in errors[:5]], [])

    def operation(self, method, path):
        """The documented operation of a real path."""
        path = path.partition("?")[0]
        for template, operations in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in operations and (template == path or "{" in template):
                return template, operations[method.lower()]
        raise AssertionError(f"{method} {path} is not documented")

    def ask(self, method, path, body=None, status=None):
        """Asks, and holds query, body, status and reply against the document."""
        template, operation = self.operation(method, path)
        parameters = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == "query"}
        sent = urllib.parse.parse_qs(path.partition("?")[2])
        for name in sent:
            self.assertIn(name, parameters, (method, path))
        self.assertEqual({n for n, p in parameters.items() if p["required"]} - set(sent), set(), (method, path))
        code, reply = self.server.ask(method, path, body)
        where = f"{method} {path} {code}"
        if status is not None:
            self.assertEqual(code, status, reply)
        if body is not None and code < 400:
            self.valid(operation["requestBody"]["content"]["application/json"]["schema"], body, where + " body")
        self.assertIn(str(code), operation["responses"], where)
        answer = operation["responses"][str(code)]
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
        if code < 300:
            self.asked.add((method.lower(), template))
        said = self.server.headers["content-type"].partition(";")[0]
        kind = next((k for k in answer["content"] if said == k or (k.endswith("/*") and said.startswith(k[:-1]))), None)
        self.assertIsNotNone(kind, (where, said))
        content = answer["content"][kind]
        if kind == "application/json":
            self.valid(content["schema"], reply, where)
        return reply

    def test_document(self):
        self.assertEqual(self.document["openapi"][:3], "3.1")
        text = json.dumps(self.document)
        for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
            self.assertIn(name, self.document["components"]["schemas"])
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertIn(f'"#/components/schemas/{name}"', text, "a schema that nothing uses")
        ids = [o["operationId"] for operations in self.document["paths"].values() for o in operations.values()]
        self.assertEqual(len(ids), len(set(ids)))
        for path, operations in self.document["paths"].items():
            for operation in operations.values():
                named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
                self.assertEqual(named, set(re.findall(r"\{(\w+)\}", path)), path)

    def test_routes_are_those_of_the_table(self):
        documented = {(method, path): (operation["x-right"], "requestBody" in operation)
                      for path, operations in self.document["paths"].items() for method, operation in operations.items()}
        self.assertEqual(documented, route_table())
        for (method, path), (right, _) in documented.items():
            self.assertEqual(self.document["paths"][path][method]["security"] == [], right == "none", path)

    def test_parameters_are_those_that_the_handlers_read(self):
        """A name that a handler asks the query for is documented somewhere."""
        read = set()
        for name in os.listdir(os.path.join(ROOT, "lib/serve")):
            if name.endswith(".c"):
                with open(os.path.join(ROOT, "lib/serve", name), encoding="utf-8") as file:
                    read |= set(re.findall(r'tmon_request_(?:parameter|int)\(request, "(\w+)"', file.read()))
        documented = {p["name"] for operations in self.document["paths"].values() for o in operations.values()
                      for p in o.get("parameters", ()) if p["in"] == "query"}
        self.assertEqual(read - documented, set())

    def test_served_with_a_tag(self):
        self.server.ask("GET", "/openapi.json")
        tag = self.server.headers["etag"]
        self.assertEqual(self.server.ask("GET", "/openapi.json", headers={"If-None-Match": tag})[0], 304)
        status, data = self.server.ask("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
        self.assertEqual((status, self.server.headers["content-encoding"]), (200, "gzip"))
        self.assertEqual(json.loads(gzip.decompress(data)), self.document)
        with open(os.path.join(ROOT, "lib/serve/openapi.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), self.document)

    def write(self):
        """Two sessions over REST with everything that can be written; the id of the first, of an alert and of a picture."""
        session = self.ask("POST", "/api/training/sessions", {"session_name": "a", "model_type": "b", "status": "running", "tags": ["x"], "config": {"a": 1}},
                           201)["session"]["id"]
        self.ask("PATCH", f"/api/training/sessions/{session}", {"notes": "n", "final_loss": 0.5}, 200)
        self.ask("POST", "/api/training/alert-rules", {"session_id": session, "rules": [
            {"name": "high", "type": "threshold", "metric": "val_loss", "above": 0.1, "severity": "critical"},
            {"name": "floor", "type": "class_floor", "class": "c", "threshold": 0.9}]}, 200)
        for epoch in (1, 2):
            self.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": epoch, "val_loss": 0.5, "kappa": 1}, 201)
        self.ask("POST", "/api/training/validation-results", {"session_id": session, "epoch": 1, "class_name": "c", "class_group": "g", "recall": 0.5, "support": 3},
                 201)
        self.ask("POST", "/api/training/confusion-matrices", {"session_id": session, "epoch": 2, "class_names": ["a", "b"], "class_groups": ["g", None],
                                                             "matrix": [[1, 2], [3, 4]]}, 201)
        self.ask("POST", "/api/training/benchmarks", {"session_id": session, "model_name": "m", "avg_inference_ms": 3.5}, 201)
        self.ask("POST", "/api/training/benchmarks", {"model_name": "m"}, 201)
        self.ask("POST", "/api/training/datasets", {"name": "d", "class_names": ["a"]}, 201)
        self.ask("POST", "/api/training/hyperparameter-runs", {"experiment_name": "e", "session_id": session, "trial": 1, "parameters": {"a": 1}, "objective_value": 1,
                                                              "direction": "minimize"}, 201)
        picture = self.ask("POST", "/api/training/images", {"session_id": session, "name": "eye", "data": GIF, "boxes": [
            {"x": 0, "y": 0, "width": 1, "height": 1, "label": "b", "score": 0.5}]}, 201)["image"]["hash"]
        alert = self.ask("GET", f"/api/training/alerts?session_id={session}", None, 200)["alerts"][0]["id"]
        self.ask("POST", f"/api/training/alerts/{alert}/acknowledge", None, 200)
        self.ask("POST", "/api/training/alert-rules/replay", {"session_id": session}, 200)
        for word in ("pause", "resume", "stop"):
            self.ask("POST", f"/api/training/{word}", {"session_id": session}, 200)
        return session, alert, picture

    def log(self):
        """A session with points."""
        trainer = os.path.join(os.path.dirname(test_rest.PROGRAM), "../minimal/minimal")
        before = {row["id"] for row in self.server.ask("GET", "/api/training/sessions")[1]["sessions"]}
        subprocess.run([trainer, self.server.folder], check=True, timeout=120, stdout=subprocess.DEVNULL, env=child_environment())
        return next(row["id"] for row in self.server.ask("GET", "/api/training/sessions")[1]["sessions"] if row["id"] not in before)

    def test_real_replies(self):
        session, _, picture = self.write()
        logged = self.log()
        ended = self.ask("POST", "/api/training/sessions", {"session_name": "z", "status": "completed", "model_type": "b"}, 201)["session"]["id"]
        started = self.ask("POST", "/api/training/start", {"parameters": {"epochs": 600}}, 201)["session_id"]
        self.ask("POST", f"/api/ml/stop-training/{started}", None, 200)
        key = urllib.parse.quote(self.ask("GET", f"/api/training/sessions/{logged}", None, 200)["series"][0]["key"], safe="")
        for path in ("/api/training/sessions?status=running&sort=status&order=asc&limit=5&offset=0&text=a&tag=x&model_type=b", f"/api/training/sessions/{session}",
                     f"/api/training/sessions/{ended}", "/api/training/leaderboard?metric=val_loss&status=all&mode=last&order=lower", "/api/training/leaderboard",
                     f"/api/training/compare?session_id={session}&session_id={logged}&axis=step&width=10", "/api/training/active?limit=5&offset=0",
                     f"/api/training/metrics?session_id={session}", f"/api/training/validation-results?session_id={session}&epoch=1",
                     "/api/training/validation-results", f"/api/training/confusion-matrices?session_id={session}", "/api/training/confusion-matrices?matrix=0",
                     "/api/training/benchmarks", "/api/training/datasets?name=d", "/api/training/hyperparameter-runs?experiment_name=e",
                     f"/api/training/images?session_id={session}&limit=3", f"/api/training/images/{picture}", "/api/hardware", "/api/hardware",
                     "/api/training/alerts?active=true&severity=critical", f"/api/training/alert-rules?session_id={session}", "/api/training/alert-rules",
                     "/api/training/recipes", f"/api/training/sessions/{started}/output?from=0", "/api/ml/training-data", f"/api/ml/training-session/{ended}",
                     f"/api/ml/training-metrics/{session}", "/api/ml/real-time-updates", "/api/ml/real-time-updates?since=1", "/api/status", "/metrics",
                     f"/api/metrics/current?session_id={session}", f"/api/metrics/current?session_id={logged}",
                     f"/api/metrics/history?session_id={logged}&key={key}&limit=3", f"/api/metrics/history?session_id={logged}", "/openapi.json",
                     f"/api/training/sessions/{logged}/export?format=csv", f"/api/training/sessions/{logged}/export?format=tensorboard&key={key}",
                     f"/api/series?session_id={logged}&key={key}&axis=time&width=10&attempts=all"):
            self.ask("GET", path, None, 200)
        self.ask("POST", "/api/login", {"token": "x" * 32})
        self.ask("DELETE", f"/api/training/sessions/{ended}", None, 200)
        asked_elsewhere = {("get", "/ws"), ("get", "/events"), ("post", "/api/ml/start-training")}
        self.assertEqual(set(route_table()) - self.asked - asked_elsewhere, set(), "routes whose good reply was not looked at")

    def test_real_errors(self):
        for method, path, body, status in (("GET", f"/api/training/sessions/{NOBODY}", None, 404), ("GET", "/api/training/sessions?limit=0", None, 400),
                                           ("POST", "/api/training/sessions", {"session_name": 1}, 400), ("POST", "/api/training/metrics", {"session_id": NOBODY, "epoch": 1, "loss": 1}, 404),
                                           ("POST", "/api/training/datasets", {}, 400), ("POST", "/api/training/start", {"recipe": "nothing"}, 404),
                                           ("POST", "/api/training/sessions", b"{}", 415), ("GET", "/ws", None, 400), ("GET", "/events?tables=x", None, 400),
                                           ("DELETE", f"/api/training/sessions/{NOBODY}", None, 404)):
            self.assertEqual(self.ask(method, path, body, status)["success"], False)


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main()
