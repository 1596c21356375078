/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Lines read from the server and live points behind them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LivePoint, SeriesColumns } from "../src/api/types";
import { at, emptyLine, extent, fromColumns, keepTail, latest, mergePoint, sum } from "../src/pure/line";
import { lastRows } from "../src/pure/table";

const columns = (): SeriesColumns => ({
  key: "train/loss",
  bucket_width: 10,
  start: [0, 10],
  count: [10, 6],
  first_x: [0, 10],
  last_x: [9, 15],
  first: [2, 1],
  last: [1.5, 0.5],
  min: [1.4, 0.4],
  max: [2.5, 1.1],
  mean: [1.8, 0.7],
  nan: [0, 2],
  inf: [1, 0],
});

const point = (step: number, more: Partial<LivePoint> = {}): LivePoint => ({ step, time: step * 1000, value: 1, count: 1, min: 1, max: 1, ...more });

test("a bucket stands at its last x with its last value", () => {
  const line = fromColumns(columns(), "step", 15);
  assert.deepEqual(line.x, [9, 15]);
  assert.deepEqual(line.last, [1.5, 0.5]);
  assert.equal(line.points, 16);
  assert.equal(line.lastStep, 15);
  assert.equal(sum(line.nan), 2);
  assert.equal(sum(line.inf), 1);
  assert.deepEqual(extent(line), [0.4, 2.5]);
});

test("in time the last step is the one that the session tells", () => {
  assert.equal(fromColumns(columns(), "time", 4711).lastStep, 4711);
  assert.equal(fromColumns(columns(), "time", null).lastStep, null);
});

test("a newer live point is appended with all that it stands for", () => {
  const line = fromColumns(columns(), "step", 15);
  assert.equal(mergePoint(line, point(18, { value: 0.3, count: 3, min: 0.2, max: 0.6 }), "step"), "appended");
  assert.deepEqual([line.x.at(-1), line.last.at(-1), line.min.at(-1), line.max.at(-1)], [18, 0.3, 0.2, 0.6]);
  assert.equal(line.points, 19);
  assert.equal(line.appended, 1);
  assert.equal(line.lastStep, 18);
});

test("a live point that the read already held is not counted twice", () => {
  const line = fromColumns(columns(), "step", 15);
  assert.equal(mergePoint(line, point(15), "step"), "known");
  assert.equal(mergePoint(line, point(12), "step"), "behind");
  assert.equal(line.points, 16);
  assert.equal(line.x.length, 2);
});

test("a read that lags keeps the live points that it lacks, once", () => {
  const old = fromColumns(columns(), "step", 15);
  mergePoint(old, point(18, { count: 2 }), "step");
  mergePoint(old, point(20, { value: null, min: null, max: null }), "step");
  const fresh = fromColumns({ ...columns(), last_x: [9, 18] }, "step", 18);
  keepTail(fresh, old);
  assert.deepEqual(fresh.x, [9, 18, 20]);
  assert.deepEqual(fresh.last, [1.5, 0.5, null]);
  assert.equal(fresh.points, 17);
  assert.equal(fresh.appended, 1);
  assert.equal(fresh.lastStep, 20);
});

test("on the time axis the time decides", () => {
  const line = emptyLine("lr");
  assert.equal(mergePoint(line, point(9, { time: 100 }), "time"), "appended");
  assert.equal(mergePoint(line, point(3, { time: 200 }), "time"), "appended");
  assert.deepEqual(line.x, [100, 200]);
  assert.equal(line.lastStep, 9);
});

test("a live point that is not finite is a marked gap", () => {
  const line = emptyLine("loss");
  mergePoint(line, point(1), "step");
  mergePoint(line, point(2, { value: null, min: null, max: null }), "step");
  assert.deepEqual(line.last, [1, null]);
  assert.equal(sum(line.nan), 1);
  assert.equal(latest(line), 1);
});

test("the value at a place is the one at or before it", () => {
  const line = fromColumns(columns(), "step", 15);
  assert.equal(at(line, 8.9), null);
  assert.equal(at(line, 9), 1.5);
  assert.equal(at(line, 14), 1.5);
  assert.equal(at(line, 99), 0.5);
  assert.equal(at(emptyLine("x"), 1), null);
});

test("the table joins lines by x, newest first, and keeps to its limit", () => {
  const train = fromColumns(columns(), "step", 15);
  const val = emptyLine("val/loss");
  mergePoint(val, point(15, { value: 3, min: 3, max: 3 }), "step");
  assert.deepEqual(lastRows([train, val], 10), [
    { x: 15, cells: [[0.5, 0.4, 1.1], [3, 3, 3]] },
    { x: 9, cells: [[1.5, 1.4, 2.5], null] },
  ]);
  assert.deepEqual(lastRows([train, val], 1).map((row) => row.x), [15]);
});
