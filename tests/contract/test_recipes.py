#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Recipes over REST, with real processes: what may be started, with what, how it is stopped, and that nothing of it is left. Usage: test_recipes.py PROGRAM"""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import test_rest
from test_rest import PATIENCE, Server

TOKEN = "0123456789abcdef0123456789abcdef"
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]), flush=True)"
# Ignores SIGTERM, has a child that does too and a grandchild that has left the group; says their numbers, then waits for ever.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stay():
    print(os.getpid(), flush=True)
    while True: time.sleep(1)
if os.fork() == 0: stay()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: stay()
    os._exit(0)
stay()
"""
# Obeys: a trainer that only knows the REST API.
OBEYS = """
import json, os, time, urllib.request
def ask(method, path, body):
    request = urllib.request.Request(os.environ["TRAINMON_URL"] + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    if "TRAINMON_TOKEN" in os.environ: request.add_header("Authorization", "Bearer " + os.environ["TRAINMON_TOKEN"])
    return json.load(urllib.request.urlopen(request, timeout=10))
me = os.environ["TRAINMON_SESSION_ID"]
ask("PATCH", "/api/training/sessions/" + me, {"status": "running", "epochs": 1000})
for epoch in range(1000):
    reply = ask("POST", "/api/training/metrics", {"session_id": me, "epoch": epoch, "total_loss": 1 / (epoch + 1), "val_accuracy": 0.5})
    print("epoch", epoch, flush=True)
    if reply["control"] == "stop":
        ask("PATCH", "/api/training/sessions/" + me, {"status": "cancelled"})
        break
    time.sleep(0.1)
"""
# A trainer in C's terms: takes the session over and logs into a ring.
RINGS = """
import ctypes, os, sys, time
library = ctypes.CDLL(os.environ["LIBRARY"])
class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("id", ctypes.c_char_p), ("name", ctypes.c_char_p), ("model_type", ctypes.c_char_p),
                ("dataset_name", ctypes.c_char_p), ("config_json", ctypes.c_char_p)]
store, session, metric = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint32()
library.tmon_log.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64, ctypes.c_double]
options = Options(ctypes.sizeof(Options), os.environ["TRAINMON_SESSION_ID"].encode(), None, b"two layers", b"digits",
                  b'{"die": 7, "optimizer": {"name": "sgd"}}')
assert library.tmon_store_open(ctypes.byref(store), os.environ["TRAINMON_STORE"].encode(), None) == 0
assert library.tmon_session_start(ctypes.byref(session), store, ctypes.byref(options)) == 0
assert library.tmon_session_metric(ctypes.byref(metric), session, b"train/loss", None) == 0
for step in range(1000):
    assert library.tmon_log(session, metric, step, 1.0) == 0
print(os.getpid(), flush=True)
if "--die=true" in sys.argv: os.kill(os.getpid(), 9)
while library.tmon_session_control(session) != 2: time.sleep(0.01)
assert library.tmon_session_finish(session, 4) == 0
"""
PARAMETERS = {
    "count": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
    "rate": {"type": "number", "minimum": 0, "maximum": 1},
    "fast": {"type": "boolean"},
    "note": {"type": "text", "max_length": 100, "title": "Note"},
    "mode": {"type": "choice", "choices": ["gini", "entropy"]},
    "place": {"type": "text", "default": "here"},
}


def python(script, **more):
    return {"command": [sys.executable, "-c", script], "grace_seconds": 0.5, **more}


RECIPES = {
    "show": {"command": [sys.executable, "-c", SHOW, "fixed argument", "in {place} it is"], "default": True, "parameters": PARAMETERS,
             "environment": {"SET": "by recipe", "PYTHONUTF8": "1"}, "title": "Shows", "description": "what it got", "model_type": "shower", "max_running": 50},
    "stubborn": python(STUBBORN, max_running=3),
    "obeys": python(OBEYS, max_running=2, grace_seconds=60),
    "fails": python("import sys; print('first', flush=True); sys.exit('no such data set \\x1b[31m\\xff')"),
    "silent": python("pass"),
    "killed": python("import os; print('about to', flush=True); os.kill(os.getpid(), 9)"),
    "stays": python("import os, time; print(os.getpid(), flush=True)\nwhile True: time.sleep(1)", keep_running=True),
    "keeps": python(STUBBORN, keep_running=True, max_running=2),
    "obeys_on": python(RINGS, keep_running=True, max_running=2, grace_seconds=60),
    "talks": python("for i in range(20000): print('line %06d \\u00e4\\u20ac' % i)", environment={"PYTHONUTF8": "1"}),
    "rings": python(RINGS, max_running=2, grace_seconds=60, parameters={"die": {"type": "boolean", "default": False}}),
    "missing": {"command": ["no-such-program-anywhere"]},
    "nowhere": {"command": ["true"], "folder": "not/there"},
}


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent (here: what runs the tests) has not looked yet is dead.
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Recipes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="trainmon-recipes-")
        self.file = os.path.join(self.folder.name, "recipes.json")
        RECIPES["obeys_on"]["environment"] = RECIPES["rings"]["environment"] = {"LIBRARY": os.path.join(os.path.dirname(os.path.abspath(test_rest.PROGRAM)), "../../lib/libtrainmon.so"), **self.preload()}
        pathlib.Path(self.file).write_text(json.dumps({"recipes": RECIPES}))
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.close()
            server.process.stdout.close()
        self.folder.cleanup()

    @staticmethod
    def preload():
        return {k: v for k, v in (test_rest.child_environment() or {}).items() if k in ("LD_PRELOAD", "ASAN_OPTIONS")}

    def serve(self, *arguments, **more):
        more.setdefault("environment", {"SECRET_OF_THE_SHELL": "1"})
        server = Server("--recipes", self.file, *arguments, **more)
        self.servers.append(server)
        return server

    def until(self, check, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            got = check()
            if got:
                return got
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.05)

    def start(self, server, body, expected=201, path="/api/training/start", headers=None):
        status, reply = server.ask("POST", path, body, headers)
        self.assertEqual(status, expected, reply)
        return reply["session_id"] if expected == 201 else reply

    def session(self, server, session, headers=None):
        return server.ask("GET", f"/api/training/sessions/{session}", headers=headers)[1]["session"]

    def ended(self, server, session, headers=None):
        return self.until(lambda: (lambda s: s if s["status"] not in ("pending", "running", "interrupted") else None)(self.session(server, session, headers)))

    def output(self, server, session, headers=None):
        return server.ask("GET", f"/api/training/sessions/{session}/output", headers=headers)[1]["output"]

    def numbers(self, server, session, count):
        return self.until(lambda: (lambda n: [int(x) for x in n] if len(n) == count else None)(self.output(server, session).split()))

    def shown(self, server, session):
        self.ended(server, session)
        return json.loads(self.output(server, session))

    def test_arguments_environment_and_folder(self):
        server = self.serve()
        session = self.start(server, {"recipe": "show", "parameters": {"note": "a b\"c", "rate": 0.25, "fast": True, "mode": "gini", "place": "x y"}})
        arguments, environment, folder = self.shown(server, session)
        self.assertEqual(arguments, ["fixed argument", "in x y it is", "--count=3", "--rate=0.25", "--fast=true", "--note=a b\"c", "--mode=gini"])
        self.assertEqual(environment["SET"], "by recipe")
        self.assertEqual(environment["TRAINMON_SESSION_ID"], session)
        self.assertEqual(environment["TRAINMON_STORE"], os.path.realpath(server.folder))
        self.assertEqual(environment["TRAINMON_URL"], f"http://127.0.0.1:{server.port}")
        self.assertNotIn("TRAINMON_TOKEN", environment)
        self.assertNotIn("SECRET_OF_THE_SHELL", environment)
        self.assertEqual(folder, os.path.realpath(self.folder.name))
        row = self.session(server, session)
        self.assertEqual(row["model_type"], "shower")
        self.assertEqual(row["session_name"], "Shows")
        self.assertEqual(row["config"], {"recipe": "show", "count": 3, "rate": 0.25, "fast": True, "note": "a b\"c", "mode": "gini", "place": "x y"})

    def test_hostile_values_stay_values(self):
        server = self.serve()
        for text in ("; touch evil", "--evil", "$(id)", "`id`", "a' \"b", "*", "{place}", "%s%n", "é\u2028"):
            session = self.start(server, {"recipe": "show", "parameters": {"note": text, "place": text}})
            self.assertEqual(self.shown(server, session)[0], ["fixed argument", f"in {text} it is", "--count=3", f"--note={text}"])
        self.assertEqual(os.listdir(self.folder.name), ["recipes.json"])

    def test_wrong_values_change_nothing(self):
        server = self.serve()
        wrong = [("count", 0), ("count", 11), ("count", "3"), ("count", 2.5), ("count", None), ("rate", 2), ("rate", "1"), ("fast", "yes"), ("fast", 1),
                 ("note", "a\nb"), ("note", "\u0001"), ("note", "x" * 101), ("note", 5), ("note", ["a"]), ("mode", "other"), ("mode", ""), ("evil", "1"),
                 ("--evil", "1"), ("count=3 --evil", 1)]
        for field, value in wrong:
            status, reply = server.ask("POST", "/api/training/start", {"recipe": "show", "parameters": {field: value}})
            self.assertEqual((status, reply["error"]["field"]), (400, field), (field, value))
            if field == "mode":
                self.assertEqual(reply["error"]["message"], "mode: expected gini or entropy")
        for body, status, field in [(b'{"recipe": "show", "parameters": {"note": "a\\u0000b"}}', 400, None), (b"{", 400, None), (b"[]", 400, None),
                                    (b'{"recipe": 1}', 400, "recipe"), (b'{"parameters": []}', 400, "parameters"), (b'{"command": ["id"]}', 400, "command"),
                                    (b'{"recipe": "show", "modelType": "fails"}', 400, "modelType"), (b'{"parameters": {}, "config": {}}', 400, "config"),
                                    (json.dumps({"parameters": {"note": "x" * 1000000}}).encode(), 413, None),
                                    (b'{"parameters": {"count": 2, "count": 3}}', 400, "count")]:
            got, reply = server.ask("POST", "/api/training/start", body, {"Content-Type": "application/json"})
            self.assertEqual(got, status, body[:80])
            if field:
                self.assertEqual(reply["error"]["field"], field)
        self.assertEqual(server.ask("POST", "/api/training/start", b"recipe=show", {"Content-Type": "application/x-www-form-urlencoded"})[0], 415)
        self.assertEqual(server.ask("GET", "/api/training/sessions")[1]["total"], 0)
        self.assertEqual(os.listdir(self.folder.name), ["recipes.json"])

    def test_default_unknown_and_none(self):
        server = self.serve()
        self.shown(server, self.start(server, None))
        self.shown(server, self.start(server, {}, path="/api/ml/start-training"))
        reply = self.start(server, {"recipe": "other"}, 404)
        self.assertEqual((reply["error"]["recipes"], reply["error"]["field"]), (list(RECIPES), "recipe"))
        self.assertEqual(self.start(server, {"modelType": "other"}, 404)["error"]["field"], "modelType")
        without = Server()
        self.servers.append(without)
        reply = self.start(without, {}, 409)
        self.assertIn("--recipes", reply["error"]["message"])
        self.assertEqual(without.ask("GET", "/api/training/recipes")[1]["recipes"], [])
        read_only = self.serve("--read-only", store=server.folder)
        self.start(read_only, {}, 403)

    def test_list_says_parameters_and_no_commands(self):
        server = self.serve()
        status, reply = server.ask("GET", "/api/training/recipes")
        self.assertEqual((status, reply["count"]), (200, len(RECIPES)))
        show = reply["recipes"][0]
        self.assertEqual((show["name"], show["title"], show["default"], show["max_running"], show["running"]), ("show", "Shows", True, 50, 0))
        self.assertEqual(show["parameters"][0], {"name": "count", "title": None, "type": "integer", "required": False, "default": 3, "minimum": 1, "maximum": 10})
        self.assertEqual(show["parameters"][4]["choices"], ["gini", "entropy"])
        for secret in ("command", "environment", "folder", "by recipe"):
            self.assertNotIn(secret, json.dumps(reply))

    def test_the_way_it_died_is_recorded(self):
        server = self.serve()
        row = self.ended(server, self.start(server, {"recipe": "fails"}))
        self.assertEqual(row["status"], "failed")
        self.assertRegex(row["error_message"], r"^exit status 1: no such data set \?\[31m")
        row = self.ended(server, self.start(server, {"recipe": "silent"}))
        self.assertEqual((row["status"], row["error_message"]), ("failed", "exit status 0 without a final status"))
        row = self.ended(server, self.start(server, {"recipe": "killed"}))
        self.assertEqual((row["status"], row["error_message"]), ("failed", "killed by signal 9: about to"))
        self.assertIsNotNone(row["completed_at"])

    def test_what_can_not_start_is_a_failed_session(self):
        server = self.serve()
        for recipe, word in (("missing", "no-such-program-anywhere"), ("nowhere", "not/there")):
            reply = self.start(server, {"recipe": recipe}, 500)
            self.assertEqual(reply["error"]["code"], "not_started")
            row = self.session(server, reply["error"]["session_id"])
            self.assertEqual(row["status"], "failed")
            self.assertIn(word, row["error_message"])

    def test_parallel_starts_keep_the_limit(self):
        server = self.serve()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            def one(_):
                other = test_rest.Server.__new__(test_rest.Server)
                other.port = server.port
                return other.ask("POST", "/api/training/start", {"recipe": "stubborn"})
            replies = list(pool.map(one, range(10)))
        good = [reply["session_id"] for status, reply in replies if status == 201]
        self.assertEqual((len(good), sorted({status for status, _ in replies})), (3, [201, 409]))
        self.assertEqual(server.ask("GET", "/api/training/sessions")[1]["total"], 3)
        pids = self.numbers(server, good[0], 3)
        server.ask("POST", "/api/training/stop", {"session_id": good[0]})
        self.assertEqual(self.ended(server, good[0])["status"], "cancelled")
        self.until(lambda: not any(map(lives, pids)))
        self.until(lambda: server.ask("POST", "/api/training/start", {"recipe": "stubborn"})[0] == 201)

    def test_one_that_ignores_stop_is_ended(self):
        server = self.serve()
        session = self.start(server, {"recipe": "stubborn"})
        pids = self.numbers(server, session, 3)
        self.assertEqual(server.ask("GET", f"/api/training/sessions/{session}")[1]["session"]["status"], "pending")
        status, reply = server.ask("DELETE", f"/api/training/sessions/{session}")
        self.assertEqual((status, reply.get("error", {}).get("field")), (409, "id"))
        begin = time.monotonic()
        self.assertEqual(server.ask("POST", f"/api/ml/stop-training/{session}")[1]["control"], "stop")
        row = self.ended(server, session)
        self.assertEqual((row["status"], row["error_message"].split(":")[0:2]), ("cancelled", ["stopped", " killed by signal 9"]))
        self.assertGreater(time.monotonic() - begin, 0.9)  # twice the grace time of 0.5 s: to obey, and to die well
        self.assertLess(time.monotonic() - begin, 20)
        self.until(lambda: not any(map(lives, pids)))

    def test_one_that_obeys_says_so_itself(self):
        server = self.serve("--token-file", self.token_file())
        with_token = {"Authorization": "Bearer " + TOKEN}
        session = self.start(server, {"recipe": "obeys", "session_name": "mine"}, headers=with_token)
        self.until(lambda: self.session(server, session, with_token)["status"] == "running")
        self.until(lambda: "epoch 3" in self.output(server, session, with_token))
        self.assertEqual(server.ask("POST", "/api/training/stop", {"session_id": session}, with_token)[0], 200)
        row = self.ended(server, session, with_token)
        self.assertEqual((row["status"], row["error_message"], row["session_name"]), ("cancelled", None, "mine"))
        self.assertEqual(server.ask("POST", "/api/training/start", {"recipe": "show"})[0], 401)

    def test_a_trainer_with_a_ring_takes_its_session_over(self):
        server = self.serve()
        killed = self.start(server, {"recipe": "rings", "parameters": {"die": True}})
        row = self.ended(server, killed)
        self.assertEqual((row["status"], row["rest"]), ("failed", False))
        self.assertRegex(row["error_message"], r"^killed by signal 9: \d+$")
        series = server.ask("GET", f"/api/training/sessions/{killed}")[1]["series"]
        self.assertEqual([(one["key"], one["count"]) for one in series], [("train/loss", 1000)])
        lives_on = self.start(server, {"recipe": "rings"})
        self.until(lambda: self.session(server, lives_on)["live"])
        self.assertEqual(server.ask("POST", "/api/training/stop", {"session_id": lives_on})[0], 200)
        row = self.ended(server, lives_on)
        self.assertEqual((row["status"], row["error_message"]), ("cancelled", None))
        # What the trainer said at its start, and beside it what it left out.
        self.assertEqual(row["config"], {"recipe": "rings", "die": 7, "optimizer": {"name": "sgd"}})
        self.assertEqual((row["model_type"], row["dataset_name"], row["session_name"]), ("two layers", "digits", "rings"))
        self.assertIn("cores", row["hardware_info"])

    def token_file(self):
        path = os.path.join(self.folder.name, "token")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(TOKEN + "\n")
        return path

    def test_nothing_outlives_the_server(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            server = self.serve()
            sessions = [self.start(server, {"recipe": "stubborn"}) for _ in range(2)]
            pids = sum((self.numbers(server, session, 3) for session in sessions), [])
            self.assertTrue(all(map(lives, pids)))
            server.process.send_signal(number)
            server.process.wait(PATIENCE)
            if number == signal.SIGTERM:
                self.assertFalse(any(map(lives, pids)), "SIGTERM waits for them")
            self.until(lambda: not any(map(lives, pids)))
            if number == signal.SIGTERM:
                again = self.serve(store=server.folder)
                row = self.session(again, sessions[0])
                self.assertEqual(row["status"], "cancelled")
                self.assertTrue(row["error_message"].startswith("stopped: killed by signal 9"))

    def leave(self, server, number=signal.SIGKILL):
        server.process.send_signal(number)
        server.process.wait(PATIENCE)

    def notes(self, server):
        return [name for name in os.listdir(os.path.join(server.folder, "logs")) if name.endswith(".run")]

    def running(self, server, recipe):
        return {one["name"]: one["running"] for one in server.ask("GET", "/api/training/recipes")[1]["recipes"]}[recipe]

    def parent(self, pid):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def test_one_that_may_outlives_the_server_and_is_adopted(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            server = self.serve()
            session = self.start(server, {"recipe": "keeps"})
            pids = self.numbers(server, session, 3)
            self.leave(server, number)
            time.sleep(1)
            self.assertTrue(all(map(lives, pids)))
            again = self.serve(store=server.folder)
            self.assertEqual(self.running(again, "keeps"), 1)
            self.assertEqual([int(line) for line in self.output(again, session).split()], pids)
            self.assertTrue(again.ask("GET", f"/api/training/sessions/{session}/output")[1]["running"])
            begin = time.monotonic()
            self.assertEqual(again.ask("POST", "/api/training/stop", {"session_id": session})[0], 200)
            row = self.ended(again, session)
            self.assertGreater(time.monotonic() - begin, 0.9)  # twice the grace time: to obey, and to die well
            self.assertEqual(row["status"], "cancelled")
            self.assertRegex(row["error_message"], r"^stopped: ended without a final status; its exit status is not known, .*: \d+$")
            self.until(lambda: not any(map(lives, pids)))
            self.until(lambda: (self.notes(again), self.running(again, "keeps")) == ([], 0))

    def test_an_adopted_one_says_its_end_itself(self):
        server = self.serve()
        session = self.start(server, {"recipe": "obeys_on"})
        self.numbers(server, session, 1)
        self.leave(server)
        again = self.serve(store=server.folder)
        self.assertTrue(self.session(again, session)["live"])
        self.assertEqual(again.ask("POST", f"/api/ml/stop-training/{session}")[0], 200)
        row = self.ended(again, session)
        self.assertEqual((row["status"], row["error_message"]), ("cancelled", None))
        self.until(lambda: self.notes(again) == [])

    def test_the_death_of_an_adopted_one_is_recorded(self):
        for while_watched in (True, False):
            server = self.serve()
            session = self.start(server, {"recipe": "obeys_on"})
            [pid] = self.numbers(server, session, 1)
            self.leave(server)
            if while_watched:
                again = self.serve(store=server.folder)
            os.kill(pid, signal.SIGKILL)
            self.until(lambda: not lives(pid))
            if not while_watched:
                again = self.serve(store=server.folder)
            row = self.until(lambda: (lambda s: s if s["status"] == "failed" else None)(self.session(again, session)))
            self.assertRegex(row["error_message"], r"^ended without a final status; its exit status is not known, ")
            self.until(lambda: self.notes(again) == [])

    def test_only_one_server_watches(self):
        server = self.serve()
        [pid] = self.numbers(server, self.start(server, {"recipe": "stays"}), 1)
        beside, reader = self.serve(store=server.folder), self.serve("--read-only", store=server.folder)
        self.assertEqual((self.running(server, "stays"), self.running(beside, "stays"), self.running(reader, "stays")), (1, 0, 0))
        beside.close()
        self.leave(server)
        second = self.serve(store=server.folder)
        third = self.serve(store=server.folder)
        self.assertEqual((self.running(second, "stays"), self.running(third, "stays")), (1, 0))
        self.assertTrue(lives(pid))
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.notes(second) == [])

    def test_a_number_that_another_process_has_is_not_touched(self):
        server = self.serve()
        session = self.start(server, {"recipe": "stays"})
        [pid] = self.numbers(server, session, 1)
        self.leave(server)
        [name] = self.notes(server)
        path = pathlib.Path(server.folder, "logs", name)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        note = json.loads(path.read_text())
        self.assertEqual(note["pid"], self.parent(pid))
        path.write_text(json.dumps(note | {"start_ticks": note["start_ticks"] + 1}))
        again = self.serve(store=server.folder)
        again.ask("POST", "/api/training/stop", {"session_id": session})
        self.ended(again, session)
        time.sleep(1.5)  # both grace times
        self.assertTrue(lives(pid))
        os.kill(pid, signal.SIGKILL)
        for text, mode in (("{", 0o600), (json.dumps(note | {"pid": 1.5}), 0o600), (json.dumps(note), 0o622)):
            path.write_text(text)
            path.chmod(mode)
            last = self.serve(store=server.folder)
            self.assertEqual((self.running(last, "stays"), last.ask("GET", "/api/status")[0]), (0, 200))
            last.close()
            self.assertTrue(path.exists(), "a note that is not believed is not used up either")

    def test_killed_together_with_its_supervisor_the_program_dies(self):
        server = self.serve()
        pids = self.numbers(server, self.start(server, {"recipe": "stubborn"}), 3)
        groups = [os.getpgid(pid) for pid in pids]
        leader = [pid for pid, group in zip(pids, groups) if pid == group]
        program = next(pid for pid in leader if pathlib.Path(f"/proc/{self.parent(pid)}/comm").read_text() == "trainmon-watch\n" and groups.count(pid) == 2)
        supervisor = self.parent(program)
        os.kill(server.process.pid, signal.SIGSTOP)  # so that it can't act on the supervisor's end
        os.kill(supervisor, signal.SIGKILL)
        os.kill(server.process.pid, signal.SIGKILL)
        self.until(lambda: not lives(program))
        for pid in pids:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)

    def outputs(self, server):
        return {name[8:-4] for name in os.listdir(os.path.join(server.folder, "logs")) if name.startswith("session-") and name.endswith(".log")}

    def test_the_oldest_outputs_are_removed(self):
        def stray(age, size=0):  # the output of a session that is not there any more
            path = pathlib.Path(server.folder, "logs", f"session-{uuid.uuid4()}.log")
            with open(path, "wb") as file:
                file.truncate(size)
            return age_of(path.stem[8:], age)
        def age_of(session, age):
            os.utime(os.path.join(server.folder, "logs", f"session-{session}.log"), (time.time() - age,) * 2)
            return session
        server = self.serve()
        stays = self.start(server, {"recipe": "stays"})
        [pid] = self.numbers(server, stays, 1)
        ended = self.start(server, {"recipe": "silent"})
        self.ended(server, ended)
        age_of(stays, 9000)
        age_of(ended, 8000)
        plain = [stray(7000 - i) for i in range(998)]
        other = pathlib.Path(server.folder, "logs", "session-mine.log")
        other.write_text("not of the library")
        self.ended(server, self.start(server, {"recipe": "silent"}))  # the 1,001st
        kept = self.outputs(server)
        self.assertEqual((len(kept - {"mine"}), stays in kept, ended in kept, set(plain) <= kept), (1000, True, False, True))
        reply = server.ask("GET", f"/api/training/sessions/{ended}/output")
        self.assertEqual((reply[0], reply[1]["error"]["code"]), (404, "no_output"))
        large = [stray(60 - i, 600 << 20) for i in range(2)]  # holes: they take no room
        self.leave(server)
        again = self.serve(store=server.folder)
        kept = self.outputs(again)
        self.assertEqual((stays in kept, large[0] in kept, large[1] in kept, other.exists()), (True, False, True, True))
        os.kill(pid, signal.SIGKILL)

    def test_output_is_read_in_pieces(self):
        server = self.serve()
        session = self.start(server, {"recipe": "talks"})
        text, at = "", 0
        while True:
            status, reply = server.ask("GET", f"/api/training/sessions/{session}/output?from={at}")
            self.assertEqual((status, reply["from"]), (200, at))
            text, at = text + reply["output"], reply["next"]
            if not reply["running"] and at == reply["size"]:
                break
            time.sleep(0 if reply["output"] else 0.05)  # reads are rationed
        self.assertEqual(text, "".join(f"line {i:06} ä€\n" for i in range(20000)))
        self.assertEqual(server.ask("GET", f"/api/training/sessions/{session}/output?from=-1")[1]["error"]["field"], "from")
        self.assertEqual(server.ask("GET", f"/api/training/sessions/{session}/output?from={10**15}")[1]["output"], "")
        self.assertEqual(server.ask("GET", f"/api/training/sessions/{test_rest.NOBODY}/output")[0], 404)
        self.assertEqual(server.ask("GET", "/api/training/sessions/..%2f..%2fetc/output")[0], 404)
        plain = server.ask("POST", "/api/training/sessions", {"model_type": "x"})[1]["session"]["id"]
        self.assertEqual(server.ask("GET", f"/api/training/sessions/{plain}/output")[1]["error"]["code"], "no_output")
        self.assertEqual(os.stat(os.path.join(server.folder, "logs", f"session-{session}.log")).st_mode & 0o777, 0o600)

    def test_a_wrong_file_is_refused_at_the_start(self):
        for content, word in (({"recipes": {"a": {"command": ["x"], "colour": 1}}}, "recipe a: unknown field \"colour\""), ({}, "recipes")):
            pathlib.Path(self.file).write_text(json.dumps(content))
            run = subprocess.run([test_rest.PROGRAM, self.folder.name + "/store", "--port", "0", "--recipes", self.file], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(run.returncode, 1)
            self.assertIn(word, run.stderr)
            self.assertIn(self.file, run.stderr)


if __name__ == "__main__":
    test_rest.PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=1)
