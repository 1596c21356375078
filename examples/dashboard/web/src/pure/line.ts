/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One metric as the page holds it: buckets read from /api/series, then live points appended behind them. */
import type { Axis, LivePoint, SeriesColumns } from "../api/types";

export interface Line {
  key: string;
  x: number[];
  last: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  nan: number[];
  inf: number[];
  /** Logged points behind each entry. */
  counts: number[];
  /** The sum of `counts`. */
  points: number;
  /** Entries appended since the last read; a re-read folds them into buckets. */
  appended: number;
  lastStep: number | null;
}

export function emptyLine(key: string): Line {
  return { key, x: [], last: [], min: [], max: [], nan: [], inf: [], counts: [], points: 0, appended: 0, lastStep: null };
}

export function fromColumns(columns: SeriesColumns, axis: Axis, knownStep: number | null): Line {
  const line = emptyLine(columns.key);
  line.x = columns.last_x.slice();
  line.last = columns.last.slice();
  line.min = columns.min.slice();
  line.max = columns.max.slice();
  line.nan = columns.nan.slice();
  line.inf = columns.inf.slice();
  line.counts = columns.count.slice();
  line.points = sum(line.counts);
  const end = line.x[line.x.length - 1];
  line.lastStep = axis === "step" && end !== undefined ? Math.max(end, knownStep ?? end) : knownStep;
  return line;
}

/** Moves the live entries of `old` that lie behind the end of `fresh` over to it: a read may lag what came live already. */
export function keepTail(fresh: Line, old: Line): void {
  const end = fresh.x[fresh.x.length - 1] ?? -Infinity;
  for (let i = old.x.length - old.appended; i < old.x.length; i++) {
    const x = old.x[i] as number;
    if (x <= end) continue;
    fresh.x.push(x);
    fresh.last.push(old.last[i] ?? null);
    fresh.min.push(old.min[i] ?? null);
    fresh.max.push(old.max[i] ?? null);
    fresh.nan.push(old.nan[i] ?? 0);
    fresh.inf.push(old.inf[i] ?? 0);
    fresh.counts.push(old.counts[i] ?? 0);
    fresh.points += old.counts[i] ?? 0;
    fresh.appended += 1;
    fresh.lastStep = Math.max(fresh.lastStep ?? -Infinity, old.lastStep ?? -Infinity);
  }
}

export type Merge = "appended" | "known" | "behind";

/**
 * Appends what came live. "known": the read already holds it. "behind": it lies before the end of the line (a second writer, a new attempt), so
 * only a new read can place it.
 */
export function mergePoint(line: Line, point: LivePoint, axis: Axis): Merge {
  const x = axis === "step" ? point.step : point.time;
  const end = line.x[line.x.length - 1];
  if (end !== undefined && x < end) return "behind";
  if (end !== undefined && x === end) return "known";
  line.x.push(x);
  line.last.push(point.value);
  line.min.push(point.min ?? point.value);
  line.max.push(point.max ?? point.value);
  // The message does not say which kind of not-finite it was; the next read does.
  line.nan.push(point.value === null ? 1 : 0);
  line.inf.push(0);
  line.counts.push(point.count);
  line.points += point.count;
  line.appended += 1;
  line.lastStep = Math.max(point.step, line.lastStep ?? point.step);
  return "appended";
}

export function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** The latest finite value, or null. */
export function latest(line: Line): number | null {
  for (let i = line.last.length - 1; i >= 0; i--) {
    const value = line.last[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** Lowest min and highest max over the line, or null when nothing finite is there. */
export function extent(line: Line): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < line.x.length; i++) {
    const min = line.min[i];
    const max = line.max[i];
    if (min !== null && min !== undefined && min < low) low = min;
    if (max !== null && max !== undefined && max > high) high = max;
  }
  return low <= high ? [low, high] : null;
}

/** The value at or before `x`, or null before the first entry. */
export function at(line: Line, x: number): number | null {
  let low = 0;
  let high = line.x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line.x[middle] as number) <= x) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : (line.last[low - 1] ?? null);
}
