#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the digits trainer records besides points, as the server tells it. Usage: test_digits.py PROGRAM"""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_rest
from test_rest import Server

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/digits/data/digits.csv")
VALIDATION_IMAGES = 360


class Digits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = os.path.join(os.path.dirname(test_rest.PROGRAM), "../digits/trainmon-digits")
        if not os.path.exists(cls.program):
            raise unittest.SkipTest("the digits program is not built")
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0

    def ask(self, path):
        status, reply = self.server.ask("GET", path)
        self.assertEqual(status, 200, reply)
        return reply

    def train(self, name, *arguments):
        trainer = subprocess.run([self.program, "--store", self.server.folder, "--data", DATA, "--name", name, "--quiet", *arguments],
                                 stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        self.assertNotIn("warning", trainer.stderr)
        sessions = self.ask("/api/training/sessions?limit=100")["sessions"]
        return next(session["id"] for session in sessions if session["session_name"] == name)

    def test_classes_matrix_and_speed(self):
        session = self.train("classes", "--epochs", "3")
        epochs = self.ask(f"/api/training/metrics?session_id={session}")["metrics"]
        for epoch in (1, 2, 3):
            reply = self.ask(f"/api/training/validation-results?session_id={session}&epoch={epoch}")
            rows = {row["class_name"]: row for row in reply["validation_results"]}
            self.assertEqual(sorted(rows), list("0123456789"))
            self.assertFalse(any(row["derived"] for row in rows.values()))
            matrices = self.ask(f"/api/training/confusion-matrices?session_id={session}&epoch={epoch}")["confusion_matrices"]
            self.assertEqual(len(matrices), 1)
            matrix = matrices[0]
            self.assertEqual((matrix["total"], matrix["class_names"]), (VALIDATION_IMAGES, list("0123456789")))
            # Two ways to the same figures: the trainer's own and the library's, of the matrix.
            for figures in matrix["per_class"]:
                for name in ("support", "precision", "sensitivity", "specificity", "f1_score"):
                    self.assertAlmostEqual(rows[figures["class_name"]][name], figures[name], 7, (epoch, name))
            row = next(row for row in epochs if row["epoch"] == epoch)
            self.assertAlmostEqual(matrix["accuracy"], row["val_accuracy"], 7)
        benchmarks = self.ask(f"/api/training/benchmarks?session_id={session}")["benchmarks"]
        self.assertEqual(len(benchmarks), 1)
        speed = benchmarks[0]
        order = [speed[f"{name}_inference_ms"] for name in ("min", "p50", "p95", "p99", "max")]
        self.assertEqual(order, sorted(order))
        self.assertGreater(speed["min_inference_ms"], 0)
        self.assertAlmostEqual(speed["throughput_fps"] * speed["avg_inference_ms"], speed["batch_size"] * 1000, 2)

    def test_rules(self):
        session = self.train("diverges", "--epochs", "2", "--rate", "100", "--hidden", "256,256,256,256")
        alerts = self.ask(f"/api/training/alerts?session_id={session}")["alerts"]
        self.assertEqual([(alert["rule"], alert["metric"], alert["severity"]) for alert in alerts], [("loss is no number", "train/loss", "critical")])
        session = self.train("stays", "--epochs", "15", "--rate", "1e-12")
        alerts = self.ask(f"/api/training/alerts?session_id={session}")["alerts"]
        self.assertEqual([(alert["rule"], alert["metric"], alert["step"]) for alert in alerts], [("no improvement", "val_loss", 11)])

    def test_rules_of_the_store_are_left_alone(self):
        rules = [{"name": "mine", "type": "nonfinite", "metric": "x"}]
        self.server.ask("POST", "/api/training/alert-rules", {"rules": rules})
        session = self.train("ours", "--epochs", "1")
        self.assertEqual(self.ask(f"/api/training/alert-rules?session_id={session}")["rules"], rules)
        self.server.ask("POST", "/api/training/alert-rules", {"rules": []})


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
