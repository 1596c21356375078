/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The axes of a chart: their words, and a width that holds the widest of them. */
import type uPlot from "uplot";
import { linearTicks, tickIncrement } from "../pure/scale";
import { logLabels, tickLabels } from "../pure/ticks";

export interface AxisLook {
  text: string;
  grid: string;
  time: boolean;
  log: boolean;
}

const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const tickLength = 8;
const gap = 5;
const narrowest = 44;

let ruler: CanvasRenderingContext2D | null = null;

function textWidth(words: string): number {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return words.length * 8;
  ruler.font = font;
  return ruler.measureText(words).width;
}

/** Also uPlot's first call comes here, before there are ticks. */
function yWidth(_: uPlot, words: string[] | null): number {
  const widest = Math.max(0, ...(words ?? []).map(textWidth));
  // Fonts are hinted anew on dense displays; two pixels cover the difference.
  return Math.max(narrowest, Math.ceil(widest) + tickLength + gap + 2);
}

/** Local time of day; the date where the ticks are days apart. */
function timeTicks(_: uPlot, ticks: number[], __: number, ___: number, increment: number): string[] {
  const two = (value: number): string => String(value).padStart(2, "0");
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    if (increment >= 86_400) return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (increment >= 60) return minutes;
    return `${minutes}:${two(at.getSeconds())}${increment < 1 ? (tick % 1).toFixed(3).slice(1) : ""}`;
  });
}

/** There is no step between two steps. */
const whole = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].flatMap((power) => [1, 2, 5].map((lead) => lead * 10 ** power));

/** uPlot places ticks only where it found an increment; this one always fits, and is not used. */
const linear: uPlot.Axis = {
  incrs: [Number.MAX_VALUE],
  splits: (_, __, min, max) => linearTicks(min, max),
  values: (u, ticks) => tickLabels(ticks, tickIncrement(u.scales.y?.min ?? 0, u.scales.y?.max ?? 0)),
};

export function axesOf(look: AxisLook): uPlot.Axis[] {
  const grid = { stroke: look.grid, width: 1 };
  const both = { stroke: look.text, font, gap, grid, ticks: { ...grid, size: tickLength } };
  return [
    { ...both, size: 34, ...(look.time ? { space: 80, values: timeTicks } : { incrs: whole }) },
    { ...both, size: yWidth, ...(look.log ? { values: (_, ticks) => logLabels(ticks) } : linear) },
  ];
}
