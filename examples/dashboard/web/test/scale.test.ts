/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The range and the ticks of the y axis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linearRange, linearTicks, tickIncrement } from "../src/pure/scale";
import { tickLabels } from "../src/pure/ticks";

test("ranges leave a tenth of room and stop at zero", () => {
  const cases: [number, number, [number, number]][] = [
    [0, 1, [0, 1.1]],
    [1, 3, [0.8, 3.2]],
    [-1, 1, [-1.2, 1.2]],
    [-3, -1, [-3.2, -0.8]],
    [-2, 0, [-2.2, 0]],
    [0.1, 2, [0, 2.2]],
    [12345.1, 12345.6, [12345.05, 12345.65]],
    [0, 0, [0, 1]],
    [5, 5, [0, 10]],
    [-5, -5, [-10, 0]],
    [1.2e-7, 1.2e-7, [0, 2.4e-7]],
    // Below a billionth it is one constant; above it is a line.
    [1.1999999999e-7, 1.2e-7, [0, 2.4e-7]],
    [1.199999952e-7, 1.2e-7, [1.199999947e-7, 1.200000005e-7]],
  ];
  for (const [min, max, range] of cases) assert.deepEqual(linearRange(min, max), range, `${min} to ${max}`);
});

test("ticks are whole steps inside the range", () => {
  assert.deepEqual(linearTicks(0, 1.1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks(0.8, 3.2), [1, 1.5, 2, 2.5, 3]);
  assert.deepEqual(linearTicks(-1.2, 1.2), [-1, -0.5, 0, 0.5, 1]);
  assert.deepEqual(linearTicks(0, 0), []);
  assert.deepEqual(linearTicks(-Number.MAX_VALUE, Number.MAX_VALUE), []);
});

test("whatever the size and however near its ends, a line lies in its range and has ticks of different words", () => {
  for (const lead of [1, 1.2, 2.5, 3, 7.77, 9.999999999, -1, -3]) {
    for (let power = -290; power <= 290; power += power > -20 && power < 20 ? 1 : 27) {
      for (let part = -9.5; part < 3; part += 0.15) {
        const max = Number(`${lead}e${power}`);
        const min = max - Math.abs(max) * 10 ** part;
        const [low, high] = linearRange(min, max);
        const ticks = linearTicks(low, high);
        const where = `${min} to ${max}: ${low} to ${high}, ${ticks.join(" ")}`;
        assert.ok(low <= min && max <= high && low < high, where);
        assert.ok(ticks.length >= 2 && ticks.length <= 7, where);
        const edge = tickIncrement(low, high) * 1e-3;
        for (const tick of ticks) assert.ok(tick >= low - edge && tick <= high + edge, where);
        assert.equal(new Set(tickLabels(ticks, tickIncrement(low, high))).size, ticks.length, where);
      }
    }
  }
});
