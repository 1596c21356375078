/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The words of the y axis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { logLabels, tickLabels } from "../src/pure/ticks";

test("ticks keep the digits that tell them apart", () => {
  const cases: [(number | null)[], number, string[]][] = [
    [[12345.2, 12345.4, 12345.6], 0.2, ["12345.2", "12345.4", "12345.6"]],
    [[0, 0.25, 0.5], 0.25, ["0", "0.25", "0.50"]],
    [[0, 2.5, 5], 2.5, ["0", "2.5", "5.0"]],
    [[0.00012, 0.00014], 0.00002, ["0.00012", "0.00014"]],
    [[0, 1e-7, 1.2e-7], 2e-8, ["0", "1.0e-7", "1.2e-7"]],
    [[-100000, 0, 100000], 100000, ["-100000", "0", "100000"]],
    [[1e12, 1.5e12], 5e11, ["1.0e+12", "1.5e+12"]],
    [[123456789, 123456790], 1, ["123456789", "123456790"]],
    [[-0.1 + 0.1 + 1e-17, 0.1], 0.1, ["0", "0.1"]],
    [[null, 1], 1, ["", "1"]],
  ];
  for (const [ticks, increment, words] of cases) assert.deepEqual(tickLabels(ticks, increment), words);
});

test("no two neighbours share their words, whatever the size", () => {
  for (let power = -30; power <= 30; power++) {
    for (const lead of [1, 2, 2.5, 5]) {
      const increment = lead * 10 ** power;
      for (const start of [0, 17, -4, 10_000]) {
        const ticks = [0, 1, 2, 3].map((n) => (start + n) * increment);
        const words = tickLabels(ticks, increment);
        assert.equal(new Set(words).size, 4, `${words.join(" ")} at ${increment}`);
        words.forEach((word, at) => assert.ok(Math.abs(Number(word) - (ticks[at] ?? 0)) <= increment * 1e-3, `${word} for ${ticks[at] ?? 0}`));
      }
    }
  }
});

test("logarithmic ticks", () => {
  assert.deepEqual(logLabels([1e-7, null, 0.0001, 0.01, 1, 1000, 1e9]), ["1e-7", "", "1e-4", "0.01", "1", "1000", "1e+9"]);
});
