/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * One uPlot for one group of metrics. It is made anew when its shape changes (keys, axis, scale, theme) and redrawn at most once a frame, and only
 * while it is on the screen, so that a page of many charts stays quick at ten updates a second.
 */
import uPlot from "uplot";
import type { Axis } from "../api/types";
import type { Line } from "../pure/line";
import { linearRange } from "../pure/scale";
import { cursorX, range, type Range } from "../state/view";
import { axesOf } from "./axes";
import { chartData, columnsPerLine } from "./data";
import { drawMarks } from "./marks";

export interface Shape {
  keys: readonly string[];
  axis: Axis;
  log: boolean;
  smooth: boolean;
}

export interface Content {
  lines: readonly Line[];
  weight: number;
  zoom: Range | null;
}

const height = 240;
const smallestDrag = 5;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function yRange(_: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  return min === null || max === null ? [null, null] : linearRange(min, max);
}

export class Plot {
  private readonly plot: uPlot;
  private readonly sizes: ResizeObserver;
  private readonly sight: IntersectionObserver;
  private readonly colours: string[];
  private readonly unit: number;
  private content: Content = { lines: [], weight: 0, zoom: null };
  private visible = true;
  private frame = 0;

  constructor(
    private readonly place: HTMLElement,
    private readonly shape: Shape,
  ) {
    this.unit = shape.axis === "time" ? 1e6 : 1;
    this.colours = [1, 2, 3, 4, 5, 6].map((n) => colour(`--line-${n}`));
    this.plot = new uPlot(this.options(), [[], ...shape.keys.flatMap(() => [[], [], [], []])] as uPlot.AlignedData, place);
    this.sizes = new ResizeObserver(() => {
      if (place.clientWidth > 0) this.plot.setSize({ width: place.clientWidth, height });
    });
    this.sizes.observe(place);
    this.sight = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1]?.isIntersecting ?? true;
      if (this.visible) this.draw();
    });
    this.sight.observe(place);
  }

  show(content: Content): void {
    this.content = content;
    if (this.visible) this.draw();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    this.sight.disconnect();
    this.plot.destroy();
  }

  private draw(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const { lines, weight } = this.content;
      if (lines.length > 0) this.plot.setData(chartData(lines, this.shape.axis, weight, this.shape.log));
    });
  }

  private series(): uPlot.Series[] {
    const all: uPlot.Series[] = [{}];
    this.shape.keys.forEach((_, index) => {
      const stroke = this.colours[index % this.colours.length] as string;
      // A lone point has no line; it must be seen all the same.
      const points: uPlot.Series.Points = { show: (u, at) => (u.data[at]?.length ?? 0) <= 40, size: 5 };
      all.push({ stroke, width: 1.75, points });
      all.push({ stroke: `${stroke}55`, width: 1, show: this.shape.smooth, points: { show: false } });
      all.push({ stroke: "", width: 0, points: { show: false } });
      all.push({ stroke: "", width: 0, points: { show: false } });
    });
    return all;
  }

  private options(): uPlot.Options {
    const bands = this.shape.keys.map((_, index): uPlot.Band => {
      const low = index * columnsPerLine + 3;
      return { series: [low + 1, low], fill: `${this.colours[index % this.colours.length]}2b` };
    });
    return {
      width: Math.max(this.place.clientWidth, 200),
      height,
      series: this.series(),
      bands,
      legend: { show: false },
      scales: {
        x: { time: this.shape.axis === "time", range: (u, min, max) => this.xRange(u, min, max) },
        y: this.shape.log ? { distr: 3 } : { range: yRange },
      },
      axes: axesOf({ text: colour("--text-secondary"), grid: colour("--grid"), time: this.shape.axis === "time", log: this.shape.log }),
      cursor: {
        sync: { key: "trainmon", setSeries: false, scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        bind: { dblclick: () => () => ((range.value = null), null) },
      },
      hooks: {
        setSelect: [(u) => this.zoom(u)],
        setCursor: [(u) => this.point(u)],
        draw: [(u) => drawMarks(u, this.content.lines, this.shape.axis, this.colours)],
      },
    };
  }

  private xRange(u: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
    const { zoom } = this.content;
    if (zoom) return [zoom.from / this.unit, zoom.to / this.unit];
    if (min === null || max === null) return [0, 1];
    // uPlot widens a lone x to a hundred steps or a day and puts it at the edge.
    const [only] = u.data[0];
    if (only !== undefined && u.data[0].length === 1) return [only - 1, only + 1];
    return min === max ? [min - 1, max + 1] : [min, max];
  }

  private zoom(u: uPlot): void {
    const { left, width } = u.select;
    if (width < smallestDrag) return;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    const from = Math.floor(u.posToVal(left, "x") * this.unit);
    const to = Math.ceil(u.posToVal(left + width, "x") * this.unit);
    if (to > from) range.value = { from: Math.max(0, from), to };
  }

  private point(u: uPlot): void {
    const left = u.cursor.left ?? -1;
    // Charts that only follow would say the same place with other rounding.
    if (!u.over.matches(":hover")) {
      if (left < 0 && !document.querySelector(".u-over:hover")) cursorX.value = null;
      return;
    }
    cursorX.value = left < 0 ? null : u.posToVal(left, "x") * this.unit;
  }
}
