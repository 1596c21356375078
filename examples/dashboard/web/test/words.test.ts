/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Numbers, durations, groups, addresses and what a session's state means. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { backOff } from "../src/api/live";
import type { Session } from "../src/api/types";
import { count, duration, number, outOf, percent } from "../src/pure/format";
import { groupKeys, groupOf } from "../src/pure/groups";
import { parseRoute, sessionPath } from "../src/pure/route";
import { commandsOf, inOrder, matches, statusWord } from "../src/pure/session";

test("numbers", () => {
  const cases: [number | null | undefined, string][] = [
    [null, "–"], [undefined, "–"], [NaN, "–"], [0, "0"], [3, "3"], [0.123456, "0.1235"], [12345.678, "12345.7"], [1234567.8, "1234568"], [0.00001234, "1.23e-5"],
    [-2.5, "-2.5"], [123456789, "1.23e+8"],
  ];
  for (const [value, text] of cases) assert.equal(number(value), text);
  assert.equal(count(1234567), "1,234,567");
  assert.equal(count(999), "999");
  assert.equal(count(null), "–");
  assert.equal(percent(12.34), "12.3 %");
  assert.equal(percent(100), "100 %");
  assert.equal(percent(99.99), "99.9 %");
});

test("durations", () => {
  const cases: [number | null, string][] = [
    [null, "–"], [-1, "–"], [0, "0 s"], [3.21, "3.2 s"], [59.4, "59 s"], [60, "1 min 0 s"], [3599, "59 min 59 s"], [3600, "1 h 0 min"], [90061, "1 d 1 h"],
  ];
  for (const [value, text] of cases) assert.equal(duration(value), text);
});

test("a part of a whole that may be unknown", () => {
  assert.equal(outOf(3, 10), "3 / 10");
  assert.equal(outOf(3, null), "3");
  assert.equal(outOf(3, 0), "3");
  assert.equal(outOf(null, 10), "– / 10");
  assert.equal(outOf(null, null), "–");
});

test("train and val share a chart", () => {
  for (const key of ["loss", "train/loss", "val/loss", "val_loss", "train_loss", "train/val_loss"]) assert.equal(groupOf(key), "loss");
  for (const key of ["acc", "val/acc", "train_accuracy"]) assert.equal(groupOf(key), "accuracy");
  for (const key of ["lr", "train/lr", "learning_rate"]) assert.equal(groupOf(key), "learning rate");
  assert.equal(groupOf("metrics/mAP50(B)"), "mAP50(B)");
});

test("loss, accuracy and learning rate come first", () => {
  const groups = groupKeys(["grad/norm", "lr", "val/loss", "train/accuracy", "train/loss", "box"]);
  assert.deepEqual(groups, [
    { name: "loss", keys: ["train/loss", "val/loss"] },
    { name: "accuracy", keys: ["train/accuracy"] },
    { name: "learning rate", keys: ["lr"] },
    { name: "box", keys: ["box"] },
    { name: "norm", keys: ["grad/norm"] },
  ]);
});

test("addresses", () => {
  assert.deepEqual(parseRoute("/"), { view: "sessions" });
  assert.deepEqual(parseRoute("/training/"), { view: "sessions" });
  assert.deepEqual(parseRoute("/training-monitor"), { view: "monitor" });
  assert.deepEqual(parseRoute("/models"), { view: "models" });
  assert.deepEqual(parseRoute(sessionPath("a b")), { view: "session", id: "a b" });
  assert.equal(parseRoute("/session/").view, "unknown");
  assert.equal(parseRoute("/session/%E0%A4%A").view, "unknown");
  assert.equal(parseRoute("/elsewhere").view, "unknown");
});

const session = (more: Partial<Session>): Session =>
  ({ id: "1", session_name: "one", status: "running", control: "run", paused: false, started_at: "2026-01-01T00:00:00Z", ...more }) as Session;

test("commands and words follow what was asked and what the trainer does", () => {
  assert.deepEqual(commandsOf(session({})), { pause: true, resume: false, stop: true });
  assert.deepEqual(commandsOf(session({ control: "pause", paused: true })), { pause: false, resume: true, stop: true });
  assert.deepEqual(commandsOf(session({ control: "stop" })), { pause: false, resume: false, stop: false });
  assert.deepEqual(commandsOf(session({ status: "completed" })), { pause: false, resume: false, stop: false });
  assert.equal(statusWord(session({})), "running");
  assert.equal(statusWord(session({ control: "pause" })), "pausing");
  assert.equal(statusWord(session({ control: "pause", paused: true })), "paused");
  assert.equal(statusWord(session({ control: "stop" })), "stopping");
  assert.equal(statusWord(session({ status: "cancelled", control: "stop" })), "cancelled");
});

test("running sessions come first, then the newest", () => {
  const list = [
    session({ id: "old", status: "completed", started_at: "2026-01-01T00:00:00Z" }),
    session({ id: "new", status: "failed", started_at: "2026-03-01T00:00:00Z" }),
    session({ id: "now", status: "running", started_at: "2025-01-01T00:00:00Z" }),
  ];
  assert.deepEqual(inOrder(list).map((one) => one.id), ["now", "new", "old"]);
});

test("the filter wants every word somewhere", () => {
  const one = session({ session_name: "Digits long", model_type: "mlp" });
  assert.ok(matches(one, ""));
  assert.ok(matches(one, "digits MLP"));
  assert.ok(matches(one, "running"));
  assert.ok(!matches(one, "digits yolo"));
});

test("the back-off grows to its limit and never vanishes", () => {
  assert.equal(backOff(0, 1), 500);
  assert.equal(backOff(0, 0), 250);
  assert.equal(backOff(3, 1), 4000);
  assert.equal(backOff(50, 1), 15_000);
  assert.equal(backOff(0, 1, true), 2_000);
  assert.equal(backOff(50, 1, true), 60_000);
});
