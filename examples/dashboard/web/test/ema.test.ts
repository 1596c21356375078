/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The smoothing of curves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ema } from "../src/pure/ema";

const close = (found: number | null | undefined, expected: number): void => {
  assert.ok(typeof found === "number" && Math.abs(found - expected) < 1e-12, `found ${found}, expected ${expected}`);
};

test("weight 0 leaves the values as they are", () => {
  assert.deepEqual(ema([0, 1, 2], [3, null, 5], 0), [3, null, 5]);
});

test("evenly spaced points follow the debiased recurrence", () => {
  // By hand: weights halve with each spacing back, divided by their sum.
  const out = ema([0, 10, 20], [4, 8, 0], 0.5);
  close(out[0], 4);
  close(out[1], (4 * 0.5 + 8) / 1.5);
  close(out[2], (4 * 0.25 + 8 * 0.5 + 0) / 1.75);
});

test("a constant stays constant from the first point on, however it is spaced", () => {
  for (const value of ema([0, 1, 5, 5.5, 100], [7, 7, 7, 7, 7], 0.95)) close(value, 7);
});

test("a far point forgets more than a near one", () => {
  const near = ema([0, 1, 10], [1, 0, 0], 0.9)[1] as number;
  const far = ema([0, 9, 10], [1, 0, 0], 0.9)[1] as number;
  assert.ok(far < near, `far ${far}, near ${near}`);
});

test("what is not a number is a gap and is not averaged", () => {
  const out = ema([0, 1, 2, 3], [2, null, Infinity, 2], 0.8);
  assert.equal(out[1], null);
  assert.equal(out[2], null);
  close(out[3], 2);
});

test("an empty line and a single point", () => {
  assert.deepEqual(ema([], [], 0.9), []);
  assert.deepEqual(ema([3], [9], 0.9), [9]);
});

test("a constant stays exactly constant where points lie dense beside a long gap", () => {
  const x = [...Array.from({ length: 500 }, (_, i) => i), 10_000_000];
  const out = ema(x, x.map(() => 1.2e-7), 0.6);
  assert.ok(out.every((value) => value === 1.2e-7), String(out.find((value) => value !== 1.2e-7)));
});
