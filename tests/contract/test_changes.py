#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""table_change messages: who gets which rows. Usage: test_changes.py PROGRAM [unittest arguments]"""
import http.client
import json
import sqlite3
import sys
import time
import unittest

import test_rest
from test_rest import PATIENCE, Server, WebSocket


class Changes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0, "SIGTERM did not end the server cleanly"

    def create(self, **fields):
        status, reply = self.server.ask("POST", "/api/training/sessions", {"session_name": "a", "model_type": "b", "status": "running"} | fields)
        self.assertEqual(status, 201, reply)
        return reply["session"]["id"]

    def patch(self, session, **fields):
        self.assertEqual(self.server.ask("PATCH", f"/api/training/sessions/{session}", fields)[0], 200)

    def client(self, *tables, sessions=()):
        websocket = WebSocket(self.server.port)
        self.addCleanup(websocket.close)
        if tables:
            websocket.send(json.dumps({"type": "subscribe", "sessions": list(sessions), "tables": list(tables)}))
            self.assertEqual(websocket.wait_for("subscribed"), {"type": "subscribed", "tables": len(tables)})
        return websocket

    def changes(self, websocket, until):
        """table_change messages up to the one that `until` takes; any other kind is left out."""
        found = []
        while not found or not until(found[-1]):
            found.append(websocket.wait_for("table_change"))
        return found

    def silent(self, websocket):
        websocket.socket.settimeout(1)
        try:
            while True:
                message = websocket.receive()
                self.assertNotEqual(message["type"], "table_change", message)
        except TimeoutError:
            pass

    def test_a_session_from_birth_to_end(self):
        websocket = self.client({"table": "training_sessions", "event": "*", "schema": "public"})
        session = self.create(config={"a": [1, 2]})
        first = websocket.wait_for("table_change")
        self.assertEqual(set(first), {"type", "eventType", "schema", "table", "commit_timestamp", "new", "old", "errors"})
        self.assertEqual((first["eventType"], first["schema"], first["table"], first["old"], first["errors"]), ("INSERT", "public", "training_sessions", {}, None))
        self.assertEqual((first["new"]["id"], first["new"]["config"], first["new"]["status"]), (session, {"a": [1, 2]}, "running"))
        self.patch(session, status="completed", final_map50=0.5)
        last = self.changes(websocket, lambda c: c["new"].get("status") == "completed")[-1]
        self.assertEqual((last["eventType"], last["old"], last["new"]["final_map50"]), ("UPDATE", {"id": session}, 0.5))
        self.assertEqual(self.server.ask("DELETE", f"/api/training/sessions/{session}")[0], 200)
        last = self.changes(websocket, lambda c: c["eventType"] == "DELETE")[-1]
        self.assertEqual((last["new"], last["old"]), ({}, {"id": session}))

    def test_two_clients_with_filters_and_one_without(self):
        one, two = self.create(), self.create()
        plain = self.client()
        mine = self.client({"table": "training_metrics", "event": "INSERT", "filter": f"session_id=eq.{one}"})
        good = self.client({"table": "training_metrics", "event": "*", "filter": "map50=gte.0.5"})
        for session, epoch, value in ((one, 1, 0.2), (two, 1, 0.6), (one, 2, 0.7), (two, 2, 0.1), (two, 3, None), (one, 3, 0.5)):
            body = {"session_id": session, "epoch": epoch, "val_loss": 1.0} | ({} if value is None else {"map50": value})
            self.assertEqual(self.server.ask("POST", "/api/training/metrics", body)[0], 201)
        seen = [(c["new"]["session_id"], c["new"]["epoch"]) for c in self.changes(mine, lambda c: c["new"]["epoch"] == 3)]
        self.assertEqual(seen, [(one, 1), (one, 2), (one, 3)])
        seen = [(c["new"]["session_id"], c["new"]["epoch"]) for c in self.changes(good, lambda c: c["new"]["epoch"] == 3)]
        self.assertEqual(seen, [(two, 1), (one, 2), (one, 3)])
        self.silent(plain)
        self.silent(mine)

    def test_updates_of_a_row_become_one(self):
        websocket = self.client({"table": "training_datasets"})
        with sqlite3.connect(f"{self.server.folder}/trainmon.db", timeout=PATIENCE) as store:
            store.execute("INSERT INTO training_datasets (name) VALUES ('coalesced')")
            for i in range(50):
                store.execute("UPDATE training_datasets SET description = ? WHERE name = 'coalesced'", (str(i),))
        store.close()
        change = websocket.wait_for("table_change")
        self.assertEqual((change["eventType"], change["new"]["description"]), ("INSERT", "49"))
        self.silent(websocket)

    def test_operators(self):
        row = {"name": "x,y", "total_images": 5}
        accepted = ["total_images=eq.5", "total_images=neq.4", "total_images=gt.4", "total_images=gte.5", "total_images=lt.6", "total_images=lte.5",
                    "total_images=in.(4,5)", 'name=in.("x,y",z)', "name=gt.a", "name=neq.x"]
        refused = ["total_images=eq.4", "total_images=neq.5", "total_images=gt.5", "total_images=gte.6", "total_images=lt.5", "total_images=lte.4",
                   "total_images=in.(4,6)", "name=in.(x,y)", "description=eq.x", "description=neq.x", "total_images=eq.five"]
        clients = {text: self.client({"table": "training_datasets", "filter": text}) for text in accepted + refused}
        self.assertEqual(self.server.ask("POST", "/api/training/datasets", row)[0], 201)
        for text in accepted:
            self.assertEqual(clients[text].wait_for("table_change")["new"]["name"], "x,y", text)
        time.sleep(0.3)
        for text in refused:
            clients[text].socket.settimeout(0.05)
            with self.assertRaises(TimeoutError, msg=text):
                self.fail(clients[text].wait_for("table_change"))

    def test_alerts_images_and_results(self):
        session = self.create()
        websocket = self.client(*({"table": table} for table in ("alerts", "images", "validation_results")))
        self.assertEqual(self.server.ask("POST", "/api/training/alert-rules", {"session_id": session, "rules": [
            {"name": "high", "type": "threshold", "metric": "val_loss", "above": 2, "severity": "critical"}]})[0], 200)
        self.assertEqual(self.server.ask("POST", "/api/training/metrics", {"session_id": session, "epoch": 1, "val_loss": 3.0})[0], 201)
        gif = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
        status, reply = self.server.ask("POST", "/api/training/images", {"session_id": session, "name": "eye", "data": gif})
        self.assertEqual(status, 201, reply)
        self.assertEqual(self.server.ask("POST", "/api/training/validation-results", {"session_id": session, "class_name": "c", "recall": 0.5})[0], 201)
        found = {}
        while len(found) < 3:
            change = websocket.wait_for("table_change")
            found[change["table"]] = change
        for change in found.values():
            self.assertEqual((change["eventType"], change["new"]["session_id"]), ("INSERT", session))
        self.assertRegex(found["alerts"]["new"]["time"], r"^\d{4}-.*Z$")
        self.assertEqual(found["images"]["new"]["name"], "eye")

    def test_what_is_wrong_is_named(self):
        websocket = self.client()
        for tables, field in (([{"table": "sqlite_master"}], "table"), ([{}], "table"), ("all", "tables"), ([{"table": "alerts", "event": "TRUNCATE"}], "event"),
                              ([{"table": "alerts", "filter": "matrix=eq.1"}], "filter"), ([{"table": "alerts", "filter": "id"}], "filter"),
                              ([{"table": "alerts", "filter": "id=like.1"}], "filter"), ([{"table": "alerts", "filter": "id=in.(1"}], "filter"),
                              ([{"table": "alerts", "filter": "id=in.(1,)"}], "filter"), ([{"table": "alerts", "filter": 'id=in.("1'}], "filter"),
                              ([{"table": "alerts", "where": "x"}], "where"), ([{"table": "alerts"}] * 65, "tables"),
                              ([{"table": "alerts", "filter": "id=in.(" + ",".join("1" * 101) + ")"}], "filter")):
            websocket.send(json.dumps({"type": "subscribe", "tables": tables}))
            reply = websocket.wait_for("error")
            self.assertEqual((reply["error"]["code"], reply["error"]["field"]), ("bad_request", field), (tables, reply))
        websocket.send(json.dumps({"type": "subscribe", "tables": [], "sessions": ["x"]}))
        self.assertEqual(websocket.wait_for("error")["error"]["field"], "sessions")
        self.create()
        self.silent(websocket)

    def test_a_subscription_ends(self):
        websocket = self.client({"table": "training_sessions"})
        session = self.create()
        websocket.wait_for("table_change")
        websocket.send(json.dumps({"type": "subscribe", "tables": []}))
        self.assertEqual(websocket.wait_for("subscribed")["tables"], 0)
        self.patch(session, notes="x")
        self.silent(websocket)

    def test_far_behind_is_told(self):
        websocket = self.client({"table": "training_datasets"})
        with sqlite3.connect(f"{self.server.folder}/trainmon.db", timeout=PATIENCE) as store:
            store.executemany("INSERT INTO training_datasets (name) VALUES (?)", ((f"many {i}",) for i in range(6000)))
        store.close()
        message = websocket.wait_for("resync")
        while message["session_id"] is not None:  # of a session, which has nothing to do with this
            message = websocket.wait_for("resync")
        self.assertIn("training_datasets", message["tables"])
        self.assertEqual(self.server.ask("POST", "/api/training/datasets", {"name": "after"})[0], 201)
        self.assertEqual(self.changes(websocket, lambda c: c["new"]["name"] == "after")[-1]["eventType"], "INSERT")

    def test_events(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        connection.request("GET", "/events?tables=training_datasets,alerts&event=INSERT")
        stream = connection.getresponse()
        self.addCleanup(connection.close)

        def receive():
            while True:
                line = stream.readline()
                if line.startswith(b"data: "):
                    return json.loads(line[6:])
        self.assertEqual([receive()["type"], receive()["type"]], ["hello", "subscribed"])
        self.assertEqual(self.server.ask("POST", "/api/training/datasets", {"name": "sse"})[0], 201)
        message = receive()
        while message["type"] != "table_change":
            message = receive()
        self.assertEqual(message["new"]["name"], "sse")
        for query, field in (("tables=nothing", "tables"), ("tables=alerts&filter=x%3Deq.1", "filter"), ("tables=alerts&event=x", "event")):
            status, reply = self.server.ask("GET", f"/events?{query}")
            self.assertEqual((status, reply["error"]["field"]), (400, field), query)


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main()
