#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""
Every path that writes, as lib/serve/router.c lists them, is sent what it must refuse: with 4xx, a reply that names the field at fault, and a store in which
nothing changed. Usage: test_hostile.py PROGRAM
"""
import base64
import http.client
import json
import os
import pathlib
import re
import sqlite3
import struct
import sys
import tempfile
import time
import unittest

import test_rest
from test_rest import NOBODY, PATIENCE, Server

LIBRARY = pathlib.Path(__file__).parents[2] / "lib"
LONG = 1_000_000
JSON = {"Content-Type": "application/json"}
REFUSALS = {400, 404, 409, 413, 415}
STRANGE_IDS = ("x", "%00", "%ff", "..%2f..", "%2e%2e", "a" * 64, "a" * 65, "a" * 400, NOBODY, NOBODY[:-1], NOBODY.replace("-", "%20"), "%27%20OR%201=1--", "-1",
               "1e3", "999999999999999999", "99999999999999999999", "{id}", "%C0%80", "caf%C3%A9")


class Raw(str):
    """JSON text that Python has no value for."""


INFINITE = Raw("1e999")
MANY = [Raw('{"a": 1}')] * 2000
# By kind: one value that is right, and what is not.
KINDS = {
    "text": ("a", (5, 1.5, True, [], {}, ["a"], "a" * LONG)),
    "name": ("a", (5, True, [], {}, "", "a\x07b", "a" * 251, "a" * LONG)),
    "count": (3, ("3", True, [], {}, 1.5, -1, 2**63, -(2**63) - 1, INFINITE, "3" * LONG)),
    "more": (3, ("3", True, [], {}, 1.5, -1, 0, 2**63, INFINITE)),  # 1 or more
    "step": (3, ("3", True, [], {}, 1.5, 2**63, -(2**63) - 1, INFINITE)),
    "real": (0.5, ("0.5", True, [], {}, INFINITE, Raw("-1e999"), "NaN", "Infinity")),
    "positive": (0.5, ("0.5", True, [], {}, -1, INFINITE, "NaN")),
    "share": (0.5, ("0.5", True, [], {}, -1, 2**63, INFINITE, "NaN", "a" * LONG)),
    "object": ({"a": 1}, (5, "x", [], True, "a" * LONG)),
    "texts": (["a", "b"], (5, "x", {}, True, [5], [None], [[]], ["a" * LONG], [""])),
    "time": ("2025-11-04T14:30:00Z", (5, True, [], {}, "", "yesterday", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "a" * LONG)),
    "status": ("running", (5, True, [], {}, "", "odd", "RUNNING", "a" * LONG)),
    "session": (None, (5, 1.5, True, [], {}, "x", "", NOBODY, NOBODY + "0", "' OR 1=1--", "a" * LONG)),
    "parent": (None, (5, True, [], {}, "x", NOBODY, "a" * LONG)),
}

SESSION = {name: "text" for name in ("session_name", "model_type", "dataset_name", "model_path", "error_message", "notes")} | \
    {name: "count" for name in ("dataset_size", "epochs", "batch_size", "img_size")} | \
    {name: "share" for name in ("final_map50", "final_map50_95", "final_precision", "final_recall")} | \
    {"learning_rate": "positive", "final_loss": "real", "config": "object", "hardware_info": "object", "summary": "object", "status": "status", "started_at": "time",
     "completed_at": "time", "tags": "texts", "parent_id": "parent", "best_metric": ("val_loss:min", (5, True, [], {}, "odd", "a:b", "a" * LONG))}
EPOCH = {name: "real" for name in ("box_loss", "cls_loss", "dfl_loss", "total_loss", "precision", "recall", "map50", "map50_95", "learning_rate",
                                   "epoch_time_seconds", "gpu_memory_mb", "val_loss", "train_accuracy", "val_accuracy", "anything")}
PLACE = {"session_id": "session", "epoch": "count", "dataset_split": "name"}
FIGURES = {name: "share" for name in ("accuracy", "precision", "recall", "f1_score", "sensitivity", "specificity", "auc_roc", "map50", "map50_95")}
PIXEL = base64.b64encode(b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0" * 4).decode()
BOX = {"x": 1, "y": 1, "width": 2, "height": 2}
RULE = {"name": "high", "type": "threshold", "metric": "total_loss", "above": 5}
CONTROL = {"body": {"session_id": "LIVE"}, "fields": {"session_id": "session"}}
RULES = (5, "x", True, {}, [5], [None], [{}], [RULE, RULE], [RULE | {"name": 5}], [RULE | {"type": "odd"}], [RULE | {"above": "x"}], [RULE | {"above": INFINITE}],
         [RULE | {"metric": ""}], [RULE | {"hold": -1}], [RULE | {"hold": 2**63}], [RULE | {"odd": 1}], [RULE | {"severity": 1}], [RULE | {"actions": ["odd"]}],
         [RULE | {"name": "a" * LONG}], [RULE] * 101)
START = {"body": {"recipe": "sleeper", "parameters": {"count": 1}},
         "fields": {"recipe": ("sleeper", (5, True, [], {}, "odd", "", "../sleeper", "a" * 9000)),
                    "parameters": ({}, (5, True, [], "x", {"odd": 1}, {"count": "1"}, {"count": 0}, {"count": 11}, {"count": INFINITE}, {"count": 1.5}, {"count": []},
                                        {"text": 5}, {"text": "a\x07"}, {"text": "a" * 200}, {"mode": "odd"}, {"fast": 1})),
                    "session_name": ("a", (5, True, [], {}, "", "a" * 201))}}

# What each path takes: a body that is right (LIVE stands for a live session), its fields by kind, or as (right, wrong values). `empty`: a body may be missing.
# A path that is not here is sent only what every path must refuse.
TAKES = {
    "POST /api/training/sessions": {"body": {"session_name": "new"}, "fields": SESSION | {"id": ("NEW", (5, True, [], {}, "x", "", "LIVE", "a" * LONG))}},
    "PATCH /api/training/sessions/{id}": {"body": {"notes": "changed"}, "fields": SESSION},
    "DELETE /api/training/sessions/{id}": {"body": None, "fields": {}},
    "POST /api/training/metrics": {"body": {"session_id": "LIVE", "epoch": 7, "total_loss": 0.5},
                                   "fields": EPOCH | {"session_id": "session", "epoch": "count", "extra": ({"x": 1}, (5, "x", [], True, {"x": "y"}, {"x": INFINITE}))}},
    "POST /api/training/validation-results": {
        "body": {"session_id": "LIVE", "class_name": "a", "precision": 0.5},
        "fields": PLACE | FIGURES | {"class_name": "name", "class_group": "name", "images": "count", "instances": "count", "support": "count",
                                     "extra": ({"x": 1}, (5, "x", [], {"x": INFINITE}, {"x": "a" * LONG})), "mine": (1, (INFINITE, "a" * LONG, [INFINITE])),
                                     "results": (None, (5, "x", {}, True, [], [5], [[]], [{"precision": 2}], MANY), ("class_name", "precision"))}},
    "POST /api/training/confusion-matrices": {
        "body": {"session_id": "LIVE", "class_names": ["a", "b"], "matrix": [[1, 2], [3, 4]]},
        "fields": PLACE | {"class_names": (["a", "b"], (5, "x", {}, [], ["a", "a"], ["a", 5], ["a", "b" * LONG])),
                           "class_groups": (["g", None], (5, "x", True, ["g"], ["g", 5], {"c": "g"}, {"a": 5})),
                           "matrix": ([[1, 0], [0, 1]], (5, "x", {}, [], [1, 2], [[1, 2]], [[1], [2]], [[1, 2], [3]], [[1, 2], [3, "4"]], [[1, 2], [3, -1]],
                                                         [[1, 2], [3, 1.5]], [[1, 2], [3, None]], [[1, 2], [3, INFINITE]], [[1, 2], [3, 2**63]], [[2**53, 1], [1, 1]])),
                           "mine": (1, (INFINITE,))}},
    "POST /api/training/benchmarks": {
        "body": {"session_id": "LIVE", "device": "cpu"},
        "fields": {"session_id": "session", "model_name": "name", "device": "name", "model_path": "text", "batch_size": "more", "img_size": "more", "runs": "more"} |
                  {name: "positive" for name in ("avg_inference_ms", "min_inference_ms", "max_inference_ms", "p50_inference_ms", "p95_inference_ms",
                                                 "p99_inference_ms", "throughput_fps", "memory_mb")}},
    "POST /api/training/datasets": {
        "body": {"name": "NEW"},
        "fields": {"name": ("NEW", KINDS["name"][1]), "version": "text", "description": "text", "path": "text", "format": "text", "class_names": "texts",
                   "statistics": "object"} | {name: "count" for name in ("total_images", "train_images", "val_images", "test_images", "num_classes")}},
    "POST /api/training/hyperparameter-runs": {
        "body": {"experiment_name": "a"},
        "fields": {"experiment_name": "name", "session_id": "session", "trial": "count", "parameters": "object", "search_space": "object", "objective": "name",
                   "objective_value": "real", "direction": ("minimize", (5, True, "up", "", [])), "status": "status", "started_at": "time", "completed_at": "time"}},
    "POST /api/training/images": {
        "body": {"session_id": "LIVE", "name": "train", "data": PIXEL},
        "fields": {"session_id": "session", "name": "name", "step": "step", "epoch": "count", "caption": "text", "prediction": "text", "label": "text", "score": "real",
                   "data": (PIXEL, (5, True, [], {}, "", "#", PIXEL[:-1], PIXEL + "\n", "A" * 8, "A" * LONG)),
                   "boxes": ([BOX], (5, "x", {}, [5], [{}], [BOX | {"x": "1"}], [BOX | {"x": INFINITE}], [BOX | {"label": 5}], [BOX | {"label": "a" * 251}], [BOX] * 257)),
                   "width": (None, ("3", True, [], -1, 1.5, 2**32, 2**63, INFINITE)), "height": (None, ("3", True, [], -1, 1.5, 2**32, 2**63)),
                   "channels": (None, ("3", True, [], -1, 1.5, 2**32, 2**63))}},
    "POST /api/training/pause": CONTROL,
    "POST /api/training/resume": CONTROL,
    "POST /api/training/stop": CONTROL,
    "POST /api/training/start": START,
    "POST /api/ml/start-training": START,
    "POST /api/ml/stop-training/{id}": {"body": {}, "fields": {}, "empty": True},
    "POST /api/training/alerts/{id}/acknowledge": {"body": {}, "fields": {}, "empty": True},
    "POST /api/training/alert-rules": {"body": {"session_id": "LIVE", "rules": [RULE]}, "fields": {"session_id": "session", "rules": ([RULE], RULES)}},
    "POST /api/training/alert-rules/replay": {"body": {"session_id": "LIVE", "rules": [RULE]}, "fields": {"session_id": "session", "rules": ([RULE], RULES)}},
    "POST /api/login": {"body": None, "fields": {"token": ("x", (5, True, [], {}))}},
}


def routes():
    """[(method, pattern, greatest body)] of what writes."""
    text = (LIBRARY / "serve/router.c").read_text()
    constants = {name: int(a) << int(b or 0) for name, a, b in re.findall(r"\b([A-Z_]+) = (\d+)(?: << (\d+))?", text + (LIBRARY / "serve/http.h").read_text())}
    found = re.findall(r'\{TMON_METHOD_(POST|PATCH|PUT|DELETE), "([^"]+)", \w+, (\w+), \w+\}', text)
    return [(method, pattern, int(limit) if limit.isdigit() else constants[limit]) for method, pattern, limit in found]


def encode(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {encode(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(encode, value)) + "]"
    return json.dumps(value)


def broken_bodies(right):
    """(what, body, headers, expected status, names of the field) of bodies that no path takes. Names ...: any."""
    first = next(iter(right), "a")
    whole = encode(right).encode()
    member = b"{" + whole[1:-1] + (b", " if len(whole) > 2 else b"")
    yield "no JSON", b"hello", JSON, 400, None
    yield "cut", whole[:-1], JSON, 400, None
    yield "a cut text", member + b'"a": "b', JSON, 400, None
    yield "two documents", whole + whole, JSON, 400, None
    yield "array", b"[" + whole + b"]", JSON, 400, None
    yield "empty array", b"[]", JSON, 400, None
    for word in (b"null", b"true", b"5", b'"a"'):
        yield word.decode(), word, JSON, 400, None
    yield "depth 100", member + b'"a": ' + b"[" * 100 + b"]" * 100 + b"}", JSON, 400, None
    # What is stored stands within rows and lists when it is read.
    yield "depth 33", member + b'"deep": ' + b"[" * 32 + b"]" * 32 + b"}", JSON, 400, ("deep",)
    yield "objects of depth 100", member + b'"a": ' + b'{"a": ' * 100 + b"1" + b"}" * 101, JSON, 400, None
    yield "open brackets", b"[" * 10000, JSON, 400, None
    value = encode(right.get(first, 1))
    yield "a name twice", f'{{"{first}": {value}, "{first}": {value}}}'.encode() if len(right) < 2 else member + f'"{first}": {value}}}'.encode(), JSON, 400, (first,)
    yield "a name twice within", member + b'"inner": {"deep": [{"b": 1, "b": 2}]}}', JSON, 400, ...
    for number in (b"NaN", b"-Infinity", b"Infinity", b"0x10", b"01", b"1.", b"+1", b"1e", b"9" * 100):
        yield number.decode(), member + b'"a": ' + number + b"}", JSON, 400, None
    yield "NUL between", b"{\0" + whole[1:], JSON, 400, None
    yield "NUL at the end", whole + b"\0", JSON, 400, None
    yield "NUL in a text", member + b'"a": "b\0c"}', JSON, 400, None
    yield "an escaped NUL", member + b'"a": "b\\u0000c"}', JSON, 400, None
    yield "an escaped NUL in a name", member + b'"a\\u0000b": 1}', JSON, 400, None
    for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\\ud800", b"\\q"):
        yield f"bad text {text!r}", member + b'"a": "' + text + b'"}', JSON, 400, None
    yield "UTF-16", "{}".encode("utf-16"), JSON, 400, None
    yield "UTF-8 with a mark", b"\xef\xbb\xbf" + whole, JSON, 400, None
    for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "application/json-seq", "*/*", "a" * 500):
        yield f"type {kind}", whole, {"Content-Type": kind} if kind else {}, (400, 415), ...


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="trainmon-hostile-")
        cls.addClassCleanup(folder.cleanup)
        parameters = {"count": {"type": "integer", "minimum": 1, "maximum": 10}, "text": {"type": "text", "max_length": 100}, "fast": {"type": "boolean"},
                      "mode": {"type": "choice", "choices": ["a", "b"]}}
        sleeper = {"command": [sys.executable, "-c", "import time; time.sleep(60)"], "parameters": parameters, "max_running": 60, "grace_seconds": 0}
        recipes = os.path.join(folder.name, "recipes.json")
        pathlib.Path(recipes).write_text(json.dumps({"recipes": {"sleeper": sleeper, "other": sleeper}}))
        cls.server = Server("--recipes", recipes)
        cls.addClassCleanup(lambda: cls.server.close() == 0 or cls.fail("SIGTERM did not end the server cleanly"))
        # Two live ones, so that what names none can't mean the only one.
        cls.live, cls.second, cls.ended = (cls.server.ask("POST", "/api/training/sessions", {"session_name": name, "status": status})[1]["session"]["id"]
                                           for name, status in (("live", "running"), ("second", "running"), ("ended", "completed")))
        for body in ({"session_id": cls.live, "rules": [RULE | {"name": "first"}]}, ):
            assert cls.server.ask("POST", "/api/training/alert-rules", body)[0] == 200
        for body in ({"epoch": 0, "total_loss": 9}, {"epoch": 1, "total_loss": 1}):
            assert cls.server.ask("POST", "/api/training/metrics", body | {"session_id": cls.live})[0] == 201
        cls.alert = cls.server.ask("GET", "/api/training/alerts")[1]["alerts"][0]["id"]
        cls.store = sqlite3.connect(f"file:{cls.server.folder}/trainmon.db?mode=ro", uri=True, isolation_level=None, timeout=PATIENCE)
        cls.addClassCleanup(cls.store.close)
        cls.connection = None
        cls.address = 1
        cls.count = 0
        cls.dumped = cls.dump()

    @classmethod
    def dump(cls):
        """All rows of all tables but the feed of changes, and the files beside the database."""
        names = [row[0] for row in cls.store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        rows = {name: sorted(cls.store.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names if name != "changes"}
        root = pathlib.Path(cls.server.folder)
        rows["files"] = sorted(str(path.relative_to(root)) for path in root.rglob("*") if "logs" not in path.parts and not path.name.startswith("trainmon.db"))
        cls.version = cls.store.execute("PRAGMA data_version").fetchone()[0]
        return rows

    def unchanged(self, what):
        """What was committed since the last look, if anything, changed no row."""
        if self.store.execute("PRAGMA data_version").fetchone()[0] != self.version:
            self.files_unchanged(what)

    def files_unchanged(self, what):
        before, now = self.dumped, self.dump()
        type(self).dumped = now
        for name in before:
            self.assertEqual(before[name], now[name], f"{what} changed {name}")

    def send(self, method, path, body, headers):
        """Many addresses: each has its own budget of writes."""
        type(self).count += 1
        if self.connection is None or self.count % 150 == 0:
            self.hang_up()
            type(self).address = self.address % 250 + 1
            type(self).connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE, source_address=(f"127.0.3.{self.address}", 0))
        for again in (True, False):
            try:
                self.connection.request(method, path, body, headers)
                reply = self.connection.getresponse()
                data = reply.read()
                break
            except (ConnectionError, http.client.BadStatusLine):  # the server may close after a refusal
                self.connection.close()
                if not again:
                    raise
        self.assertEqual(reply.getheader("Content-Type"), "application/json; charset=utf-8", path)
        return reply.status, json.loads(data)

    @classmethod
    def hang_up(cls):
        if cls.connection is not None:
            cls.connection.close()
            cls.connection = None

    @classmethod
    def tearDownClass(cls):
        cls.hang_up()

    def refused(self, what, answer, expected=None, field=...):
        with self.subTest(what):
            self.check(what, *answer, expected, field)

    def check(self, what, status, reply, expected, field):
        expected = REFUSALS if expected is None else expected if isinstance(expected, tuple) else (expected,)
        self.assertIn(status, expected, f"{what}: {reply}")
        self.assertEqual(set(reply), {"success", "error"}, what)
        self.assertIs(reply["success"], False, what)
        error = reply["error"]
        self.assertLessEqual({"code", "message", "field"}, set(error), what)
        self.assertTrue(error["code"] and error["message"], f"{what}: {reply}")
        if field is None:
            self.assertIsNone(error["field"], f"{what}: {reply}")
        elif field is not ...:
            self.assertIsNotNone(error["field"], f"{what}: {reply}")
            self.assertIn(re.split(r"[.\[]", error["field"])[0], field, f"{what}: {reply}")
        self.unchanged(what)

    def filled(self, value):
        """LIVE and NEW replaced by what they stand for."""
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        if value == "NEW":
            type(self).count += 1
            return f"{self.count:08x}-0000-4000-8000-000000000001"
        return self.live if value == "LIVE" else value

    def path(self, pattern):
        return pattern.replace("{id}", str(self.alert) if "alerts" in pattern else self.live)

    def each(self):
        found = routes()
        self.assertGreater(len(found), 18)
        self.assertLessEqual(set(TAKES), {f"{method} {pattern}" for method, pattern, _ in found})
        for method, pattern, limit in found:
            takes = TAKES.get(f"{method} {pattern}", {"body": {"session_id": "LIVE"}, "fields": {}})
            yield method, pattern, limit, takes
            with self.subTest(f"all of {method} {pattern}"):
                self.files_unchanged(f"{method} {pattern}")

    def test_bodies(self):
        for method, pattern, limit, takes in self.each():
            path = self.path(pattern)
            if method == "DELETE":  # takes no body: whatever comes, it stays what it is, a session that is live
                for what, body, headers, *_ in broken_bodies({}):
                    self.refused(f"{method} {path}, {what}", self.send(method, path, body, headers))
                self.refused(f"{method} {path}", self.send(method, path, None, {}), 409, ("id",))
                continue
            for what, body, headers, status, field in broken_bodies(self.filled(takes["body"] or {})):
                self.refused(f"{method} {path}, {what}", self.send(method, path, body, headers), status, field)
            if not takes.get("empty"):
                self.refused(f"{method} {path}, no body", self.send(method, path, None, {}))
                self.refused(f"{method} {path}, empty body", self.send(method, path, b"", JSON))

    def test_too_large(self):
        for method, pattern, limit, takes in self.each():
            path = self.path(pattern)
            body = encode(self.filled(takes["body"] or {})).encode().ljust(limit + 1)
            self.hang_up()
            if method != "DELETE":
                self.refused(f"{method} {path}, {len(body)} bytes", self.send(method, path, body, JSON), 413, None)
            # The size is said, the rest never comes.
            self.hang_up()
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
            connection.putrequest(method, path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(10**12))
            connection.endheaders(b"{")
            reply = connection.getresponse()
            self.refused(f"{method} {path}, 1 TB", (reply.status, json.loads(reply.read())), 413, None)
            connection.close()

    def test_fields(self):
        for method, pattern, limit, takes in self.each():
            path = self.path(pattern)
            for name, kind in takes["fields"].items():
                _, wrong, *without = KINDS[kind] if isinstance(kind, str) else kind
                base = {key: value for key, value in (takes["body"] or {}).items() if key not in (without or [()])[0]}
                for value in wrong:
                    body = encode(self.filled({**base, name: value})).encode()
                    what = f"{method} {path}, {name} = {encode(value)[:60]}"
                    if len(body) > limit:
                        self.refused(what, self.send(method, path, body, JSON), 413, None)
                    else:
                        # What is wrong within an object goes by its own name.
                        self.refused(what, self.send(method, path, body, JSON), None, (name, *value) if isinstance(value, dict) else (name,))

    def test_ids(self):
        for method, pattern, limit, takes in self.each():
            if "{id}" not in pattern:
                continue
            body = encode(self.filled(takes["body"])).encode() if takes["body"] is not None else None
            for strange in STRANGE_IDS:
                path = pattern.replace("{id}", strange)
                self.refused(f"{method} {path}", self.send(method, path, body, JSON if body else {}), (400, 404, 405, 409))

    def test_missing_fields(self):
        for method, pattern, limit, takes in self.each():
            for name in takes["body"] or {}:
                body = {key: value for key, value in takes["body"].items() if key != name}
                required = name in {"session_id", "epoch", "class_names", "matrix", "name", "experiment_name", "data"} and "benchmarks" not in pattern
                if required and "alert-rules" not in pattern:
                    path = self.path(pattern)
                    self.refused(f"{method} {path} without {name}", self.send(method, path, encode(self.filled(body)).encode(), JSON), None, (name,))

    def test_z_the_same_without_the_fault(self):
        """The last: what the others break is right before it is broken. Else a refusal would say nothing about the field."""
        for method, pattern, limit in routes():
            takes = TAKES.get(f"{method} {pattern}")
            if takes is None or takes["body"] is None:
                continue
            rights = [(None, None)] + [(name, KINDS[kind][0] if isinstance(kind, str) else kind[0]) for name, kind in takes["fields"].items()]
            if "start" in pattern:
                rights = rights[:1]
            for name, value in rights:
                if name is not None and value is None:
                    continue
                body = takes["body"] | ({name: value} if name else {})
                with self.subTest(route=f"{method} {pattern}", field=name):
                    status, reply = self.send(method, self.path(pattern), encode(self.filled(body)).encode(), JSON)
                    self.assertIn(status, (200, 201), reply)
                    self.assertIs(reply["success"], True)
        self.assertNotEqual(self.dump(), self.dumped)
        self.hang_up()
        self.assertEqual(self.send("DELETE", f"/api/training/sessions/{self.ended}", None, {})[0], 200)


if __name__ == "__main__":
    began = time.monotonic()
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(failfast="-f" in sys.argv)
