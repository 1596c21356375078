/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Marks where a line was not a number: a cross for NaN at the bottom, a triangle for infinity at the top. */
import type uPlot from "uplot";
import type { Axis } from "../api/types";
import type { Line } from "../pure/line";

function cross(ctx: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  ctx.moveTo(x - r, y - r);
  ctx.lineTo(x + r, y + r);
  ctx.moveTo(x + r, y - r);
  ctx.lineTo(x - r, y + r);
}

function triangle(ctx: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y + r);
  ctx.lineTo(x - r, y + r);
  ctx.closePath();
}

export function drawMarks(u: uPlot, lines: readonly Line[], axis: Axis, colours: readonly string[]): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const r = 4 * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  lines.forEach((line, index) => {
    ctx.strokeStyle = colours[index % colours.length] ?? "";
    ctx.beginPath();
    for (let i = 0; i < line.x.length; i++) {
      const nan = (line.nan[i] ?? 0) > 0;
      const inf = (line.inf[i] ?? 0) > 0;
      if (!nan && !inf) continue;
      const at = line.x[i] as number;
      const x = u.valToPos(axis === "time" ? at / 1e6 : at, "x", true);
      if (x < left || x > left + width) continue;
      if (nan) cross(ctx, x, top + height - r - 2, r);
      if (inf) triangle(ctx, x, top + r + 2, r);
    }
    ctx.stroke();
  });
  ctx.restore();
}
