/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Turns lines into the columns that uPlot draws: per line the drawn curve, the raw curve, the low and the high of the band. */
import uPlot from "uplot";
import type { Axis } from "../api/types";
import { ema } from "../pure/ema";
import type { Line } from "../pure/line";

export const columnsPerLine = 4;

type Column = (number | null)[];

/** A logarithmic scale has no place for values at or below zero. */
const positive = (values: Column): Column => values.map((value) => (value !== null && value > 0 ? value : null));

export function chartData(lines: readonly Line[], axis: Axis, weight: number, log: boolean): uPlot.AlignedData {
  const tables = lines.map((line): uPlot.AlignedData => {
    const x = axis === "time" ? line.x.map((at) => at / 1e6) : line.x.slice();
    const raw = line.last.slice();
    const columns: Column[] = [weight > 0 ? ema(line.x, raw, weight) : raw, raw, line.min.slice(), line.max.slice()];
    return [x, ...(log ? columns.map(positive) : columns)];
  });
  if (tables.length === 1) return tables[0] as uPlot.AlignedData;
  return uPlot.join(tables);
}
