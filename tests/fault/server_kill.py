# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""kill -9 of the server at random instants while a trainer logs: the trainer never notices, no point is lost or doubled, the store stays sound and
each new server answers. DASHBOARD names the server program."""
import http.client
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

from common import COMPLETED, LONG, Place, check, check_points, counts, fail, finish, inspect, start

ROUNDS = 200 if LONG else 15
PATIENCE = 60


def serve(place):
    child = subprocess.Popen([os.environ["DASHBOARD"], place.store, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    if not line.startswith("http://"):
        child.kill()
        fail(f"the server did not start: {line!r} {child.communicate()[1]!r}")
    return child, int(line.rsplit(":", 1)[1].rstrip("/\n"))


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"} if body is not None else {})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, text


def pester(port, session, over, answers):
    """Reads, follows and writes until the server dies: kills should meet it in the middle of something."""
    try:
        events = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        events.request("GET", "/events")
        while not over.is_set():
            answers[0] += ask(port, "GET", f"/api/series?session_id={session}&key=m0&width=1000")[0] == 200
            status, reply = ask(port, "POST", "/api/training/sessions", {"session_name": "beside", "model_type": "none", "status": "completed"})
            if status == 201:
                answers[1].append(json.loads(reply)["session"]["id"])
    except (OSError, http.client.HTTPException):
        pass


def one_round(place, session, trainer, chance, answers):
    server, port = serve(place)
    status, reply = ask(port, "GET", "/api/training/active")
    check(status == 200, f"a new server answers {status} {reply!r}")
    check(trainer.poll() is None, "the trainer has ended")
    check(session in [row["id"] for row in json.loads(reply)["sessions"]], "a new server does not show the training as active")
    check(ask(port, "GET", "/")[0] == 200, "a new server does not give the page")
    over = threading.Event()
    client = threading.Thread(target=pester, args=(port, session, over, answers))
    client.start()
    time.sleep(chance.random() * 0.4)
    server.send_signal(signal.SIGKILL)
    words = server.communicate()
    check(server.returncode == -signal.SIGKILL, f"the server ended by itself: {server.returncode} {words}")
    over.set()
    client.join()


def main():
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    answers = [0, []]
    try:
        with Place() as place:
            session, path = place.session()
            # 2 threads, bursts of 100 points each 20 ms, for as long as the rounds take
            trainer = start("trainer", place.store, session, path, 2, 100, 20000, 0, "input")
            for _ in range(ROUNDS):
                one_round(place, session, trainer, chance, answers)
            out = finish(trainer, 300)
            check(out.split("dropped")[1].split()[0] == "0", f"the trainer dropped points: {out!r}")
            found = inspect(place.store, session, 2)
            check(found["status"] == COMPLETED, f"status {found['status']}, expected completed")
            points = check_points(found, counts(path), "after all kills")
            kept = sum(one[1] for one in counts(path))
            check(points == kept > 0, f"{points} points, expected {kept}")
            with sqlite3.connect(os.path.join(place.store, "trainmon.db")) as database:
                sound = database.execute("PRAGMA integrity_check").fetchall()
                check(sound == [("ok",)], f"integrity_check says {sound}")
                rows = {row[0] for row in database.execute("SELECT id FROM training_sessions")}
            missing = [one for one in answers[1] if one not in rows]
            check(not missing, f"{len(missing)} sessions that the server had confirmed are not in the store")
            server, port = serve(place)
            status, reply = ask(port, "GET", f"/api/training/sessions/{session}")
            check(status == 200 and json.loads(reply)["session"]["status"] == "completed", f"the last server says {status} {reply[:300]!r}")
            server.terminate()
            check(server.wait(PATIENCE) == 0, "SIGTERM did not end the last server cleanly")
    except SystemExit:
        fail(f"seed {seed}")
    print(f"kill -9 of the server: {ROUNDS} rounds beside a live trainer, {points} points, none lost, doubled or dropped; {answers[0]} reads and {len(answers[1])} writes"
          f" answered between; store sound (seed {seed})")


main()
