#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Pictures over REST and live, asked of a real server on a real store. Usage: test_images.py PROGRAM [unittest arguments]"""
import base64
import glob
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
import unittest
import zlib

import test_rest
from test_rest import NOBODY, PATIENCE, Server, WebSocket

PATH = "/api/training/images"


def png(number, width=2, height=1):
    """A whole PNG, made here; `number` goes into its pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + struct.pack(">I", number)[-3:] * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def text(data):
    return base64.b64encode(data).decode()


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0, "SIGTERM did not end the server cleanly"

    def session(self):
        status, reply = self.server.ask("POST", "/api/training/sessions", {"session_name": "images", "status": "running"})
        self.assertEqual(status, 201)
        return reply["session"]["id"]

    def add(self, session, data, **fields):
        return self.server.ask("POST", PATH, {"session_id": session, "name": "train", "data": text(data), **fields})

    def refused(self, answer, status, field=None):
        self.assertEqual(answer[0], status, answer[1])
        self.assertFalse(answer[1]["success"])
        self.assertEqual(answer[1]["error"]["field"], field)

    def test_a_picture_goes_in_and_comes_out(self):
        session, data = self.session(), png(1, 30, 20)
        box = {"x": 1, "y": 2, "width": 3, "height": 4, "label": "optic disc", "score": 0.75}
        status, reply = self.add(session, data, step=5, epoch=0, caption="eye ä", prediction="3", label="8", score=0.5, boxes=[box])
        self.assertEqual(status, 201, reply)
        self.assertEqual((reply["session_id"], reply["control"]), (session, "run"))
        image = reply["image"]
        digest = hashlib.sha256(data).hexdigest()
        wanted = {"session_id": session, "name": "train", "step": 5, "epoch": 0, "hash": digest, "media_type": "image/png", "bytes": len(data), "width": 30,
                  "height": 20, "caption": "eye ä", "prediction": "3", "label": "8", "score": 0.5, "boxes": [box], "url": f"{PATH}/{digest}"}
        self.assertEqual({key: image[key] for key in wanted}, wanted)
        status, listed = self.server.ask("GET", f"{PATH}?session_id={session}&name=train&limit=5")
        self.assertEqual((status, listed["images"], listed["count"], listed["dropped_images"], listed["success"]), (200, [image], 1, 0, True))
        status, body = self.server.ask("GET", image["url"])
        self.assertEqual((status, body), (200, data))
        headers = self.server.headers
        self.assertEqual(headers["content-type"], "image/png")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["content-disposition"], "inline")
        self.assertIn("sandbox", headers["content-security-policy"])
        self.assertIn("immutable", headers["cache-control"])
        self.assertEqual(headers["etag"], f'"{digest}"')
        status, body = self.server.ask("GET", image["url"], headers={"If-None-Match": headers["etag"]})
        self.assertEqual((status, body), (304, b""))
        # The same content again: another row, the same file.
        self.assertEqual(self.add(session, data)[1]["image"]["url"], image["url"])
        self.assertEqual(len(glob.glob(f"{self.server.folder}/media/{digest[:2]}/*")), 1)

    def test_fields_that_are_missing_are_null(self):
        session = self.session()
        image = self.add(session, png(2))[1]["image"]
        for name in "step", "epoch", "caption", "prediction", "label", "score":
            self.assertIsNone(image[name], name)
        self.assertEqual(image["boxes"], [])

    def test_pixels(self):
        session = self.session()
        status, reply = self.add(session, bytes(range(12)), width=2, height=2, channels=3)
        self.assertEqual(status, 201, reply)
        self.assertEqual((reply["image"]["media_type"], reply["image"]["width"]), ("image/bmp", 2))
        status, body = self.server.ask("GET", reply["image"]["url"])
        start = struct.unpack_from("<I", body, 10)[0]
        self.assertEqual(body[start:start + 6], bytes([8, 7, 6, 11, 10, 9]))  # the lower row, blue first
        self.refused(self.add(session, bytes(11), width=2, height=2, channels=3), 400, "data")

    def test_what_is_refused(self):
        session = self.session()
        svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
        for data in svg, b"<!DOCTYPE html>", b"%PDF-1.7 and so on", b"", png(3)[:20], b"\xff\xd8\xff\xe0\0\0":
            self.refused(self.add(session, data), 400, "data")
        for value in "!!!!", "QUJD\n", "QUI", 5, ["QUJD"]:
            self.refused(self.server.ask("POST", PATH, {"session_id": session, "name": "n", "data": value}), 400, "data")
        self.refused(self.server.ask("POST", PATH, {"session_id": session, "name": "n"}), 400, "data")
        self.refused(self.server.ask("POST", PATH, {"session_id": session, "data": text(png(3))}), 400, "name")
        for field, value in {"name": "", "step": 1.5, "epoch": -1, "score": "high", "caption": 5, "boxes": {}, "width": -1, "unknown": 1}.items():
            self.refused(self.add(session, png(3), **{field: value}), 400, field)
        box = {"x": 0, "y": 0, "width": 1, "height": 1}
        for boxes in [1], [{}], [box | {"x": "1"}], [box | {"width": -1}], [box | {"label": 3}], [box] * 257:
            self.refused(self.add(session, png(3), boxes=boxes), 400, "boxes")
        self.assertEqual(self.add(session, png(3), boxes=[box] * 256)[0], 201)
        self.assertEqual(self.add(NOBODY, png(3))[0], 404)
        self.assertEqual(self.add("x", png(3))[0], 400)
        self.refused(self.server.ask("GET", f"{PATH}?session_id={session}&limit=101"), 400, "limit")
        self.refused(self.server.ask("GET", f"{PATH}?session_id={session}&limit=x"), 400, "limit")
        self.assertEqual(self.server.ask("GET", f"{PATH}?session_id={session}")[1]["count"], 1)

    def test_only_hashes_are_addresses(self):
        for name in "x", "A" * 64, "0" * 63, "..%2f..%2ftrainmon.db", "%2e%2e":
            self.assertIn(self.server.ask("GET", f"{PATH}/{name}")[0], (400, 404), name)
        self.refused(self.server.ask("GET", f"{PATH}/{'0' * 64}"), 404, "hash")
        self.assertIn(self.server.ask("GET", f"{PATH}/{'0' * 65}")[0], (400, 404))

    def test_large_bodies(self):
        session = self.session()
        data = png(4)
        self.assertEqual(self.add(session, data + bytes((8 << 20) - len(data)))[0], 201)
        self.refused(self.add(session, data + bytes((8 << 20) - len(data) + 1)), 400, "data")
        status, _ = self.server.ask("POST", "/api/training/sessions", {"session_name": "x" * (2 << 20)})
        self.assertEqual(status, 413)
        self.assertEqual(self.add(session, data)[0], 201)

    def test_promises_of_large_bodies_are_bounded(self):
        session = self.session()
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nContent-Type: application/json\r\nContent-Length: {12 << 20}\r\n\r\n{{"
        slow = [socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) for _ in range(6)]
        for one in slow[:5]:
            one.sendall(head.encode())
        time.sleep(0.3)
        slow[5].sendall(head.encode())
        self.assertIn(b" 503 ", slow[5].recv(100))
        # Small ones are never in the way.
        self.assertEqual(self.add(session, png(4))[0], 201)
        for one in slow:
            one.close()
        end = time.monotonic() + PATIENCE
        while (status := self.add(session, png(4) + bytes(4 << 20))[0]) == 503 and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(status, 201)

    def test_damage_is_told(self):
        session = self.session()
        image = self.add(session, png(5))[1]["image"]
        [file] = glob.glob(f"{self.server.folder}/media/*/{image['hash']}")
        with open(file, "r+b") as opened:
            opened.seek(-1, os.SEEK_END)
            opened.write(b"\0")
        self.assertEqual(self.server.ask("GET", image["url"])[0], 500)
        os.unlink(file)
        self.assertEqual(self.server.ask("GET", image["url"])[0], 404)

    def test_the_latest_twenty_and_paging(self):
        session = self.session()
        for step in range(23):
            self.assertEqual(self.add(session, png(1000 + step), step=step)[0], 201)
        reply = self.server.ask("GET", f"{PATH}?session_id={session}&limit=100")[1]
        self.assertEqual([image["step"] for image in reply["images"]], list(range(22, 2, -1)))
        more = self.server.ask("GET", f"{PATH}?session_id={session}&limit=3&before={reply['images'][3]['id']}")[1]
        self.assertEqual([image["step"] for image in more["images"]], [18, 17, 16])
        self.assertEqual(self.server.ask("GET", f"{PATH}/{hashlib.sha256(png(1000)).hexdigest()}")[0], 404)

    def test_live(self):
        session, other = self.session(), self.session()
        before = self.add(session, png(6), step=1)[1]["image"]
        first = WebSocket(self.server.port)
        # The newest goes at once to whoever comes.
        message = first.wait_for("image", session)
        self.assertEqual(message["image"], before)
        took = []
        while not took or (took[-1] >= 2 and len(took) < 5):  # a machine may stand still for a moment
            added = self.add(session, png(7 + 100 * len(took)), step=2)[1]["image"]
            since = time.monotonic()
            self.assertEqual(first.wait_for("image", session)["image"], added)
            took.append(time.monotonic() - since)
        self.assertLess(took[-1], 2)
        # One that follows another session gets nothing of this one.
        second = WebSocket(self.server.port)
        second.send(json.dumps({"type": "subscribe", "sessions": [other], "tables": []}))
        second.wait_for("subscribed")
        self.add(session, png(8), step=3)
        theirs = self.add(other, png(9), name="val")[1]["image"]
        late = None
        while late != theirs:
            message = second.wait_for("image")
            late = message["image"]
            if message["session_id"] == session:
                self.assertLess(late["step"], 3, "a picture came after the subscription")
        # Subscribing to another session brings its newest, and that alone.
        second.send('{"type": "subscribe", "sessions": ["%s"]}' % session)
        self.assertEqual(second.wait_for("image", session)["image"]["step"], 3)
        first.close()
        second.close()

    def test_a_slow_client_gets_the_newest(self):
        session = self.session()
        client = WebSocket(self.server.port)
        client.wait_for("hello")
        begin = time.monotonic()
        for step in range(40):
            self.add(session, png(2000 + step), step=step)
        seen = []
        while not seen or seen[-1] < 39:
            seen.append(client.wait_for("image", session)["image"]["step"])
        self.assertEqual(seen, sorted(seen))
        # The server looks ten times a second, so where adding takes long each may come.
        self.assertLessEqual(len(seen), 10 * (time.monotonic() - begin) + 3, "nothing was coalesced")
        client.close()

    def test_the_digits_trainer_shows_what_it_looks_at(self):
        program = os.path.join(os.path.dirname(test_rest.PROGRAM), "../digits/trainmon-digits")
        if not os.path.exists(program):
            self.skipTest("the digits program is not built")
        digits = os.path.join(os.path.dirname(__file__), "../../examples/digits/data/digits.csv")
        client = WebSocket(self.server.port)
        trainer = subprocess.Popen([program, "--store", self.server.folder, "--data", digits, "--epochs", "1000000", "--quiet"])
        try:
            message = client.wait_for("image")
            while message["image"]["name"] != "train" or message["image"]["prediction"] is None:
                message = client.wait_for("image")
            image, session = message["image"], message["session_id"]
            self.assertEqual((image["media_type"], image["width"], image["height"]), ("image/bmp", 64, 64))
            self.assertIn(image["prediction"], list("0123456789"))
            self.assertIn(image["label"], list("0123456789"))
            counts = []
            while not counts or (not 4 <= counts[-1] <= 14 and len(counts) < 5):  # where the machine stood still they come in heaps
                counts.append(0)
                begin = time.monotonic()
                while time.monotonic() - begin < 2:
                    counts[-1] += client.receive()["type"] == "image"
            self.assertTrue(4 <= counts[-1] <= 14, f"{counts} pictures in 2 s, about 10 were expected")
            end = time.monotonic() + PATIENCE
            while (images := self.server.ask("GET", f"/api/training/sessions/{session}")[1]["session"]["progress"]["images"]) <= 1000 and time.monotonic() < end:
                time.sleep(0.1)
            self.assertGreater(images, 1000)
        finally:
            trainer.terminate()
            trainer.wait(PATIENCE)
            client.close()


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")
