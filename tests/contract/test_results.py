#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Validation results, confusion matrices, benchmarks, data sets and hyper-parameter runs over REST. Usage: test_results.py PROGRAM

Figures of matrices are compared with formulas written here with fractions, and with scikit-learn where that is installed."""
import fractions
import json
import os
import random
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_rest
from test_rest import NOBODY, Server, WebSocket

try:
    import sklearn.metrics
except ImportError:
    sklearn = None

PATHS = {
    "validation-results": ("validation_results", "validation_result"),
    "confusion-matrices": ("confusion_matrices", "confusion_matrix"),
    "benchmarks": ("benchmarks", "benchmark"),
    "datasets": ("datasets", "dataset"),
    "hyperparameter-runs": ("hyperparameter_runs", "hyperparameter_run"),
}


class Results(test_rest.Rest):
    # Of the other class only its helpers are wanted.
    pass


for name in [name for name in dir(Results) if name.startswith("test_")]:
    setattr(Results, name, None)


def expected_of(matrix):
    """Of each class (precision, recall, specificity, f1, support), by the definitions; None: undefined."""
    def ratio(part, whole):
        return fractions.Fraction(part, whole) if whole else None
    total = sum(map(sum, matrix))
    out = []
    for i in range(len(matrix)):
        tp, row, column = matrix[i][i], sum(matrix[i]), sum(line[i] for line in matrix)
        fp, fn = column - tp, row - tp
        tn = total - tp - fp - fn
        out.append((ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(tn, tn + fp), ratio(2 * tp, 2 * tp + fp + fn), row))
    return out


class Kinds(Results):
    def add(self, path, body, status=201):
        code, reply = self.ask("POST", f"/api/training/{path}", body)
        self.assertEqual(code, status, reply)
        return reply

    def list(self, path, query=""):
        code, reply = self.ask("GET", f"/api/training/{path}?{query}")
        self.assertEqual(code, 200, reply)
        self.assertIs(reply["success"], True)
        rows = reply[PATHS[path][0]]
        self.assertEqual(reply["count"], len(rows))
        return rows

    def test_each_kind_is_written_and_listed(self):
        session = self.create()["id"]
        bodies = {
            "validation-results": {"session_id": session, "epoch": 1, "class_name": "a", "precision": 0.5, "mine": [1]},
            "confusion-matrices": {"session_id": session, "epoch": 9, "class_names": ["a", "b"], "matrix": [[3, 1], [0, 4]]},
            "benchmarks": {"session_id": session, "model_name": "m", "avg_inference_ms": 4.5, "p99_inference_ms": 9, "device": "cpu", "runs": 10},
            "datasets": {"name": "set", "version": "1", "class_names": ["a"], "statistics": {"mean": 0.5}},
            "hyperparameter-runs": {"experiment_name": "e", "trial": 1, "parameters": {"lr": 0.1}, "search_space": {"lr": [0, 1]}, "objective": "loss",
                                    "objective_value": 0.25, "direction": "minimize", "session_id": session},
        }
        for path, body in bodies.items():
            with self.subTest(path):
                reply = self.add(path, body)
                self.assertIs(reply["success"], True)
                row = reply[PATHS[path][1]]
                self.assertEqual(row["id"], reply["id"])
                for key, value in body.items():
                    if key == "mine":
                        self.assertEqual(row["extra"], {"mine": [1]})
                    elif key != "matrix":
                        self.assertEqual(row[key], value)
                if "session_id" in body:
                    self.assertEqual((reply["session_id"], reply["control"]), (session, "run"))
                else:
                    self.assertNotIn("control", reply)
                rows = self.list(path, f"id={row['id']}")
                self.assertEqual(rows[0].get("matrix"), body.get("matrix"))
        self.assertNotIn("matrix", self.list("confusion-matrices", f"session_id={session}&matrix=0")[0])
        self.assertEqual(self.list("benchmarks", "name=m")[0]["p99_inference_ms"], 9)
        self.assertEqual(self.list("hyperparameter-runs", "experiment_name=e")[0]["parameters"], {"lr": 0.1})
        self.refused(self.ask("POST", "/api/training/datasets", {"name": "set", "version": "1"}), 409, "name")

    def test_replies_carry_control(self):
        session = self.create()["id"]
        self.assertEqual(self.ask("POST", "/api/training/stop", {"session_id": session})[0], 200)
        reply = self.add("validation-results", {"session_id": session, "results": [{"class_name": "a", "recall": 1}, {"class_name": "b", "recall": 0}]})
        self.assertEqual((reply["control"], reply["count"]), ("stop", 2))

    def test_wrong_bodies_name_the_field(self):
        session = self.create()["id"]
        for path, body, status, field in [
            ("validation-results", {}, 400, "session_id"),
            ("validation-results", {"session_id": NOBODY}, 404, "session_id"),
            ("validation-results", {"session_id": session, "recall": "NaN"}, 400, "recall"),
            ("validation-results", {"session_id": session, "recall": 1.5}, 400, "recall"),
            ("validation-results", {"session_id": session, "results": [{"recall": 1}, {"class_name": "a", "recall": []}]}, 400, "results[1].recall"),
            ("validation-results", b'{"session_id":"%s","epoch":1,"epoch":2}' % session.encode(), 400, "epoch"),
            ("confusion-matrices", {"session_id": session, "class_names": ["a"]}, 400, "matrix"),
            ("confusion-matrices", {"session_id": session, "class_names": ["a"], "matrix": [[1, 2]]}, 400, "matrix"),
            ("confusion-matrices", {"session_id": NOBODY, "class_names": ["a"], "matrix": [[1]]}, 404, "session_id"),
            ("confusion-matrices", b"{", 400, None),
            ("confusion-matrices", b'{"session_id":"x"}\0', 400, None),
            ("confusion-matrices", [], 400, None),
            ("benchmarks", {"runs": 0}, 400, "runs"),
            ("datasets", {}, 400, "name"),
            ("datasets", {"name": "x" * 251}, 400, "name"),
            ("hyperparameter-runs", {"experiment_name": "e", "status": "done"}, 400, "status"),
        ]:
            with self.subTest(path=path, body=body):
                headers = {"Content-Type": "application/json"}
                self.refused(self.ask("POST", f"/api/training/{path}", body, headers), status, field)
        for path in PATHS:
            self.refused(self.ask("POST", f"/api/training/{path}", b"{}", {"Content-Type": "text/plain"}), 415)
            self.refused(self.ask("GET", f"/api/training/{path}?limit=1001"), 400, "limit")
            self.refused(self.ask("GET", f"/api/training/{path}?offset=-1"), 400, "offset")
        self.refused(self.ask("GET", "/api/training/validation-results?epoch=x"), 400, "epoch")
        self.refused(self.ask("GET", "/api/training/validation-results?epoch=1"), 400, "session_id")
        self.refused(self.ask("GET", "/api/training/validation-results?latest=perhaps"), 400, "latest")
        self.refused(self.ask("GET", f"/api/training/confusion-matrices?session_id={NOBODY}"), 404, "session_id")
        self.refused(self.ask("GET", f"/api/training/datasets?session_id={session}"), 400, "session_id")
        self.assertEqual(self.list("validation-results", f"session_id={session}"), [])

    def test_figures_of_a_matrix(self):
        session = self.create()["id"]
        choice = random.Random(5)
        for epoch, size in enumerate([1, 2, 3, 28, 28]):
            matrix = [[choice.choice([0, 0, 0, 1, 7]) + (20 if i == j and i % 5 else 0) for j in range(size)] for i in range(size)]
            if epoch == 4:
                matrix[3] = [0] * size  # a class that did not occur
            names = [f"c{i}" for i in range(size)]
            self.add("confusion-matrices", {"session_id": session, "epoch": epoch, "class_names": names, "matrix": matrix})
            row = self.list("confusion-matrices", f"session_id={session}&epoch={epoch}")[0]
            wanted = expected_of(matrix)
            for name, index in [("precision", 0), ("recall", 1), ("sensitivity", 1), ("specificity", 2), ("f1_score", 3)]:
                defined = [(w[index], w[4]) for w in wanted if w[index] is not None]
                for got, want in zip(row["per_class"], wanted):
                    if want[index] is None:
                        self.assertIsNone(got[name])
                    else:
                        self.assertAlmostEqual(got[name], float(want[index]), 12)
                if not defined:
                    self.assertIsNone(row["averages"]["macro"][name])
                    self.assertIsNone(row["averages"]["weighted"][name])
                    continue
                self.assertAlmostEqual(row["averages"]["macro"][name], float(sum(v for v, _ in defined) / len(defined)), 12)
                weight = sum(w for _, w in defined)
                if weight:
                    self.assertAlmostEqual(row["averages"]["weighted"][name], float(sum(v * w for v, w in defined) / weight), 12)
                else:
                    self.assertIsNone(row["averages"]["weighted"][name])
            if sklearn is not None and size > 1:
                truth = [i for i in range(size) for j in range(size) for _ in range(matrix[i][j])]
                called = [j for i in range(size) for j in range(size) for _ in range(matrix[i][j])]
                self.assertEqual(sklearn.metrics.confusion_matrix(truth, called, labels=range(size)).tolist(), matrix)
                self.assertAlmostEqual(row["accuracy"], sklearn.metrics.accuracy_score(truth, called), 12)
                for average in ["macro", "weighted"]:
                    figures = sklearn.metrics.precision_recall_fscore_support(truth, called, labels=range(size), average=average, zero_division=float("nan"))
                    for name, figure in zip(["precision", "recall", "f1_score"], figures):
                        self.assertAlmostEqual(row["averages"][average][name], figure, 12)

    def test_groups_and_derived_results(self):
        session = self.create()["id"]
        self.add("confusion-matrices", {"session_id": session, "epoch": 2, "class_names": ["a", "b", "c"], "class_groups": ["fundus", "fundus", "OCT"],
                                        "matrix": [[8, 2, 0], [1, 9, 0], [0, 0, 5]]})
        code, reply = self.ask("GET", f"/api/training/sessions/{session}")
        self.assertEqual(code, 200)
        rows = reply["validation_results"]
        self.assertEqual([row["class_name"] for row in rows], [None, "a", "b", "c"])
        self.assertTrue(all(row["derived"] for row in rows))
        averages = self.ask("GET", f"/api/training/validation-results?session_id={session}&latest=1")[1]["averages"][0]
        self.assertAlmostEqual(averages["groups"]["fundus"]["macro"]["recall"], 0.85)
        self.assertEqual(averages["groups"]["OCT"]["weighted"]["recall"], 1)
        code, current = self.ask("GET", f"/api/metrics/current?session_id={session}")
        self.assertEqual(current["metrics"]["per_class"], {"a": 0.8, "b": 0.9, "c": 1})
        self.add("validation-results", {"session_id": session, "epoch": 3, "class_name": "a", "sensitivity": 0.25, "auc_roc": 0.5, "support": 4})
        self.assertEqual(self.ask("GET", f"/api/metrics/current?session_id={session}")[1]["metrics"]["per_class"]["a"], 0.25)
        code, reply = self.ask("GET", f"/api/training/validation-results?session_id={session}&epoch=latest")
        self.assertEqual([row["derived"] for row in reply["validation_results"]], [False])
        self.assertEqual(reply["averages"][0]["weighted"]["auc_roc"], 0.5)

    def test_subscribers_get_the_classes(self):
        session = self.create()["id"]
        socket = WebSocket(self.server.port)
        socket.wait_for("hello")
        socket.send(json.dumps({"type": "subscribe", "sessions": [session], "tables": []}))
        socket.wait_for("subscribed")
        self.add("validation-results", {"session_id": session, "epoch": 1, "results": [{"class_name": "x", "sensitivity": 0.75}]})
        message = socket.wait_for("metrics_update", session)
        self.assertEqual(message["metrics"]["per_class"], {"x": 0.75})
        socket.close()

    def test_a_thousand_classes(self):
        session = self.create()["id"]
        body = {"session_id": session, "epoch": 1, "class_names": [f"c{i}" for i in range(1000)],
                "matrix": [[90 if i == j else (i + j) % 3 for j in range(1000)] for i in range(1000)]}
        begun = time.time()
        reply = self.add("confusion-matrices", body)
        written = time.time()
        self.assertEqual(self.list("confusion-matrices", f"id={reply['id']}")[0]["matrix"], body["matrix"])
        print(f"1,000 classes: {len(json.dumps(body))} bytes in {written - begun:.2f} s, back in {time.time() - written:.2f} s", file=sys.stderr)
        body["matrix"] = body["matrix"] * 4
        self.refused(self.ask("POST", "/api/training/confusion-matrices", body), 413)
        self.refused(self.ask("POST", "/api/training/benchmarks", {"x": "y" * (2 << 20)}), 413)

    def test_read_only(self):
        writer = Server()
        reader = Server("--read-only", store=writer.folder)
        try:
            for path in PATHS:
                code, reply = reader.ask("POST", f"/api/training/{path}", {"name": "x"})
                self.assertEqual((code, reply["error"]["code"]), (403, "read_only"))
        finally:
            reader.close()
            writer.close()


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(defaultTest="Kinds")
