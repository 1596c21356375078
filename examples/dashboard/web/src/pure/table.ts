/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Aligns several lines on one x column for the chart and for its table. */
import type { Line } from "./line";

export interface Row {
  x: number;
  /** One cell a line: last, min, max; null where the line has no entry here. */
  cells: ([number | null, number | null, number | null] | null)[];
}

/** The last `limit` rows over all lines, newest first. */
export function lastRows(lines: readonly Line[], limit: number): Row[] {
  const rows = new Map<number, Row>();
  lines.forEach((line, column) => {
    for (let i = Math.max(0, line.x.length - limit); i < line.x.length; i++) {
      const x = line.x[i] as number;
      let row = rows.get(x);
      if (!row) rows.set(x, (row = { x, cells: lines.map(() => null) }));
      row.cells[column] = [line.last[i] ?? null, line.min[i] ?? null, line.max[i] ?? null];
    }
  });
  return [...rows.values()].sort((a, b) => b.x - a.x).slice(0, limit);
}
