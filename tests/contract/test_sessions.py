#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Sessions over REST: fields and their bounds, lists, parents, deletion, leases. Usage: test_sessions.py PROGRAM [unittest arguments]"""
import os
import sqlite3
import subprocess
import sys
import time
import unittest
import uuid

import test_rest
from test_rest import NOBODY, PATIENCE, Server, WebSocket

PATH = "/api/training/sessions"


class Sessions(unittest.TestCase):
    def setUp(self):
        self.server = Server()

    def tearDown(self):
        self.assertEqual(self.server.close(), 0)

    def ask(self, *arguments, **named):
        return self.server.ask(*arguments, **named)

    def create(self, **fields):
        status, reply = self.ask("POST", PATH, fields)
        self.assertEqual(status, 201, reply)
        self.assertEqual(reply["control"], "run")
        return reply["session"]

    def refused(self, answer, status, field):
        self.assertEqual((answer[0], answer[1].get("success")), (status, False), answer)
        self.assertEqual(answer[1]["error"]["field"], field, answer)
        self.assertTrue(answer[1]["error"]["message"])

    def names(self, query="", count=None):
        status, reply = self.ask("GET", f"{PATH}?{query}")
        self.assertEqual(status, 200, reply)
        if count is not None:
            self.assertEqual(reply["total"], count)
        return [row["session_name"] for row in reply["sessions"]]

    def sql(self, text, *values):
        with sqlite3.connect(os.path.join(self.server.folder, "trainmon.db"), timeout=PATIENCE) as database:
            rows = database.execute(text, values).fetchall()
        database.close()
        return rows

    def test_every_field_is_kept(self):
        parent = self.create(session_name="search")
        fields = {"id": str(uuid.uuid4()), "session_name": "n", "model_type": "yolo", "dataset_name": "coco", "dataset_size": 5, "epochs": 6, "batch_size": 7,
                  "learning_rate": 0.0, "img_size": 640, "config": {"a": [1, {"b": None}]}, "hardware_info": {"gpu": "x"}, "status": "completed",
                  "started_at": "2025-01-15T10:00:00.000000Z", "completed_at": "2025-01-15T10:01:00.000000Z", "best_metric": "auc:max", "final_map50": 0.0,
                  "final_map50_95": 0.5, "final_precision": 88.5, "final_recall": 1, "final_loss": -2.5, "model_path": "m.pt", "error_message": "e",
                  "notes": "two\nlines", "tags": ["a", "ü"], "parent_id": parent["id"], "summary": {"best": {"loss": 0.25}, "ok": True}}
        session = self.create(**fields)
        self.assertEqual({key: session[key] for key in fields}, fields)
        self.assertEqual(session["duration_seconds"], 60)
        status, reply = self.ask("GET", f"{PATH}/{parent['id']}")
        self.assertEqual(reply["session"]["children"], 1)
        # null leaves a field as it is; an empty text or list takes it away.
        status, reply = self.ask("PATCH", f"{PATH}/{session['id']}", {key: None for key in fields if key != "id"})
        self.assertEqual(status, 200, reply)
        self.assertEqual({key: reply["session"][key] for key in fields}, fields)
        status, reply = self.ask("PATCH", f"{PATH}/{session['id']}", {"notes": "", "tags": [], "parent_id": "", "best_metric": "", "session_name": "m", "summary": {}})
        self.assertEqual([reply["session"][key] for key in ("notes", "tags", "parent_id", "best_metric", "session_name", "summary")],
                         [None, [], None, None, "m", {}])

    def test_wrong_fields_change_nothing(self):
        session = self.create(session_name="a", tags=["t"])
        child = self.create(parent_id=session["id"])
        at = f"{PATH}/{session['id']}"
        before = self.ask("GET", at)[1]["session"]
        wrong = [("session_name", 5), ("session_name", "x" * 4097), ("model_type", []), ("dataset_size", -1), ("epochs", 1.5), ("epochs", "9"), ("epochs", 1e300),
                 ("batch_size", True), ("img_size", {}), ("learning_rate", "0.1"), ("learning_rate", -1), ("config", []), ("config", "{}"), ("summary", []), ("summary", "{}"), ("hardware_info", 1),
                 ("status", "done"), ("status", 1), ("status", "interrupted"), ("started_at", "yesterday"), ("started_at", 1736935200), ("completed_at", "2025-13-01"),
                 ("final_map50", 101), ("final_map50_95", -0.1), ("final_precision", "1"), ("final_recall", 1e9), ("final_loss", "low"), ("best_metric", "loss"),
                 ("notes", "x" * 65537), ("notes", ["a"]), ("tags", "a"), ("tags", ["a", "a"]), ("tags", [""]), ("tags", ["x" * 65]), ("tags", [1]),
                 ("tags", [str(i) for i in range(65)]), ("parent_id", "x"), ("parent_id", session["id"]), ("parent_id", child["id"]), ("id", NOBODY), ("unknown", 1),
                 ("created_at", "2025-01-15T10:00:00Z"), ("duration_seconds", 1), ("best_epoch", 1), ("key", 1)]
        for field, value in wrong:
            with self.subTest(field=field, value=str(value)[:40]):
                self.refused(self.ask("PATCH", at, {"session_name": "changed", field: value} if field != "session_name" else {field: value}), 400, field)
        self.refused(self.ask("PATCH", at, {"parent_id": NOBODY}), 404, "parent_id")
        self.refused(self.ask("PATCH", at, {"started_at": "2025-01-02", "completed_at": "2025-01-01"}), 400, "completed_at")
        self.refused(self.ask("PATCH", at, b'{"epochs": 1, "epochs": 2}', {"Content-Type": "application/json"}), 400, "epochs")
        self.refused(self.ask("PATCH", at, b'{"config": {"a": [{"b": 1, "c": 1, "b": 2}]}}', {"Content-Type": "application/json"}), 400, "b")
        self.refused(self.ask("POST", "/api/training/metrics", f'{{"session_id": "{session["id"]}", "epoch": 1, "a": 1, "a": 2}}'.encode(),
                              {"Content-Type": "application/json"}), 400, "a")
        self.assertEqual(self.ask("GET", at)[1]["session"], before)
        self.refused(self.ask("POST", PATH, {"id": session["id"]}), 409, "id")
        self.refused(self.ask("POST", PATH, {"id": "mine"}), 400, "id")
        self.refused(self.ask("POST", PATH, {"parent_id": NOBODY}), 404, "parent_id")
        self.refused(self.ask("POST", PATH, {"no_such": 1}), 400, "no_such")
        self.assertEqual(self.names("", 2), [child["session_name"], "a"])

    def test_lists(self):
        top = self.create(session_name="alpha 100%", model_type="yolo", tags=["one", "two"], final_loss=3)
        self.create(session_name="Beta", model_type="vit", dataset_name="coco", notes="see ALPHA", status="failed", final_loss=1)
        self.create(session_name="gamma_1", model_type="yolo", status="completed", parent_id=top["id"], final_loss=2)
        self.create(session_name="delta", dataset_name="coco", tags=["three"])
        self.assertEqual(self.names("model_type=yolo", 2), ["gamma_1", "alpha 100%"])
        self.assertEqual(self.names("dataset_name=coco&model_type=vit", 1), ["Beta"])
        self.assertEqual(self.names("tag=two", 1), ["alpha 100%"])
        self.assertEqual(self.names("tag=tw", 0), [])
        self.assertEqual(self.names(f"parent_id={top['id']}", 1), ["gamma_1"])
        self.assertEqual(self.names("text=alpha", 2), ["Beta", "alpha 100%"])
        self.assertEqual(self.names("text=100%25", 1), ["alpha 100%"])
        self.assertEqual(self.names("text=A_1", 1), ["gamma_1"])
        self.assertEqual(self.names("text=%25", 1), ["alpha 100%"])
        self.assertEqual(self.names("text=%27;drop%20table%20x", 0), [])
        self.assertEqual(self.names("status=failed&status=completed", 2), ["gamma_1", "Beta"])
        self.assertEqual(self.names("status=failed", 1), ["Beta"])
        self.assertEqual(self.names("sort=final_loss", 4), ["alpha 100%", "gamma_1", "Beta", "delta"])
        self.assertEqual(self.names("sort=final_loss&order=asc", 4), ["Beta", "gamma_1", "alpha 100%", "delta"])
        self.assertEqual(self.names("sort=session_name&order=asc"), ["alpha 100%", "Beta", "delta", "gamma_1"])
        self.assertEqual(self.names("order=asc&limit=2&offset=1", 4), ["Beta", "gamma_1"])
        for query, field in (("sort=key", "sort"), ("order=up", "order"), ("status=done", "status"), ("parent_id=x", "parent_id"), ("limit=0", "limit"),
                             ("limit=1001", "limit"), ("offset=-1", "offset"), ("text=" + "x" * 257, "text")):
            self.refused(self.ask("GET", f"{PATH}?{query}"), 400, field)

    def test_pages_do_not_overlap(self):
        for i in range(23):
            self.create(session_name=f"{i}", model_type="same")
        self.sql("UPDATE training_sessions SET created_at = '2025-01-01T00:00:00.000000Z'")
        for query in ("", "&sort=final_map50", "&sort=status&order=asc", "&model_type=same"):
            seen = [name for offset in range(0, 25, 5) for name in self.names(f"limit=5&offset={offset}{query}", 23)]
            self.assertEqual(len(seen), 23, query)
            self.assertEqual(len(set(seen)), 23, query)

    def test_deletion(self):
        parent = self.create(session_name="p", status="running")
        child = self.create(session_name="c", parent_id=parent["id"])
        websocket = WebSocket(self.server.port)
        self.ask("POST", "/api/training/metrics", {"session_id": parent["id"], "epoch": 1, "loss": 1})
        self.refused(self.ask("DELETE", f"{PATH}/{parent['id']}"), 409, "id")
        self.refused(self.ask("DELETE", f"{PATH}/x"), 400, "id")
        self.refused(self.ask("DELETE", f"{PATH}/{NOBODY}"), 404, "id")
        self.ask("PATCH", f"{PATH}/{parent['id']}", {"status": "completed"})
        status, reply = self.ask("DELETE", f"{PATH}/{parent['id']}")
        self.assertEqual((status, reply), (200, {"success": True, "session_id": parent["id"]}))
        self.assertEqual(self.ask("GET", f"{PATH}/{parent['id']}")[0], 404)
        self.assertIsNone(self.ask("GET", f"{PATH}/{child['id']}")[1]["session"]["parent_id"])
        self.assertEqual(self.sql("SELECT count(*) FROM training_metrics"), [(0,)])
        self.assertEqual(self.sql("SELECT count(*) FROM changes WHERE op = 'DELETE' AND row_id = ?", parent["id"]), [(1,)])
        status, reply = self.ask("PUT", f"{PATH}/{child['id']}", {})
        self.assertEqual(status, 405)
        self.assertIn("DELETE", self.server.headers["allow"])
        websocket.close()

    def test_silence_interrupts_and_a_write_reopens(self):
        session = self.create(session_name="quiet", status="running")
        at = f"{PATH}/{session['id']}"
        self.ask("POST", "/api/training/pause", {"session_id": session["id"]})
        self.assertEqual(self.ask("PATCH", at, {"epochs": 3})[1]["control"], "pause")
        status, reply = self.ask("POST", "/api/training/metrics", {"session_id": session["id"], "epoch": 1, "loss": 1})
        self.assertEqual((status, reply["control"]), (201, "pause"))
        self.sql("UPDATE training_sessions SET lease_at = lease_at - 700000000")
        end = time.monotonic() + PATIENCE
        while self.ask("GET", at)[1]["session"]["status"] != "interrupted" and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.ask("GET", at)[1]["session"]["status"], "interrupted")
        status, reply = self.ask("PATCH", at, {"notes": "a person looks at it"})
        self.assertEqual(reply["session"]["status"], "interrupted")
        self.ask("POST", "/api/training/metrics", {"session_id": session["id"], "epoch": 2, "loss": 1})
        reply = self.ask("GET", at)[1]
        self.assertEqual(reply["session"]["status"], "running")
        self.ask("PATCH", at, {"status": "failed", "error_message": "disk"})
        kinds = [event["kind"] for event in self.ask("GET", at)[1]["events"]]
        self.assertEqual(kinds, ["created", "started", "paused", "interrupted", "reopened", "failed"])

    def test_ranks_of_a_trainer(self):
        library = os.path.join(os.path.dirname(test_rest.PROGRAM), "../../lib/libtrainmon.so")
        if not os.path.exists(library):
            self.skipTest("libtrainmon is not a shared library in this build")
        trainer = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainer.py"), library, self.server.folder],
                                   stdout=subprocess.PIPE, text=True, env=test_rest.child_environment())
        self.addCleanup(trainer.kill)
        session = trainer.stdout.readline().strip()
        reply = self.ask("GET", f"{PATH}/{session}")[1]
        self.assertEqual([(r["rank"], r["attempt"], r["pid"], r["live"], r["dropped"]) for r in reply["ranks"]], [(0, 1, trainer.pid, True, 0)])
        self.assertEqual([(e["kind"], e["data"]["pid"]) for e in reply["events"]], [("started", trainer.pid)])
        self.refused(self.ask("DELETE", f"{PATH}/{session}"), 409, "id")
        self.refused(self.ask("PATCH", f"{PATH}/{session}", {"status": "failed"}), 409, "status")
        status, reply = self.ask("PATCH", f"{PATH}/{session}", {"session_name": "named", "tags": ["live"]})
        self.assertEqual((status, reply["session"]["session_name"], reply["session"]["tags"]), (200, "named", ["live"]), reply)
        trainer.kill()
        trainer.wait()
        trainer.stdout.close()
        self.assertEqual(self.ask("DELETE", f"{PATH}/{session}")[0], 200)
        self.assertEqual(self.names("", 0), [])

    def test_active_has_the_latest_row(self):
        session = self.create(session_name="a", status="running")
        other = self.create(session_name="b", status="running")
        for epoch in (1, 3, 2):
            self.ask("POST", "/api/training/metrics", {"session_id": session["id"], "epoch": epoch, "loss": epoch})
        rows = {row["id"]: row["latest_metrics"] for row in self.ask("GET", "/api/training/active")[1]["sessions"]}
        self.assertEqual((rows[session["id"]]["epoch"], rows[session["id"]]["total_loss"]), (3, 3))
        self.assertIsNone(rows[other["id"]])

    def test_active_is_read_in_pages(self):
        def active(query=""):
            status, reply = self.ask("GET", "/api/training/active" + query)
            self.assertEqual((status, reply["count"]), (200, len(reply["sessions"])), reply)
            return [row["session_name"] for row in reply["sessions"]], reply["total"]
        names = [f"s{i}" for i in range(53)]
        for name in names:
            self.create(session_name=name, status="running")
        self.create(session_name="over", status="completed")
        names.reverse()
        self.assertEqual(active(), (names[:50], 53))
        self.assertEqual(active("?limit=1000"), (names, 53))
        self.assertEqual(active("?limit=2&offset=50"), (names[50:52], 53))
        self.assertEqual(active("?offset=53"), ([], 53))
        for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("offset=-1", "offset")):
            status, reply = self.ask("GET", "/api/training/active?" + query)
            self.assertEqual((status, reply["error"]["field"]), (400, field))


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
