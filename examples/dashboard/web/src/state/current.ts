/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The open session: its epoch rows and its lines. Lines come from /api/series and grow by live points at once; when they have grown long, or a
 * point cannot be placed, they are read again, at most each five seconds, so that a chart never holds much more than one entry a pixel.
 */
import { batch, signal, type Signal } from "@preact/signals";
import { ApiError, getSeries, getSession } from "../api/client";
import type { Axis, EpochRow, LivePoint, MetricsUpdate, SeriesColumns, SeriesSummary } from "../api/types";
import { emptyLine, fromColumns, keepTail, mergePoint, type Line } from "../pure/line";
import { explain } from "./access";
import { putSessions, sessions } from "./sessions";
import { axis, range } from "./view";

const longTail = 500;
const shortestGap = 5_000;
const keysPerRead = 16;
const width = 1_000;

export const openId = signal<string | null>(null);
export const epochs = signal<EpochRow[]>([]);
export const keys = signal<string[]>([]);
export const openError = signal<string | null>(null);
export const reading = signal(false);
export const system = signal<MetricsUpdate["system"]>(null);

const lines = new Map<string, Signal<Line>>();
let stored: SeriesSummary[] = [];
let arrived: [string, LivePoint][] | null = null;
let heldAxis: Axis = axis.peek();
let misplaced = false;
let turn = 0;
let abort: AbortController | null = null;
let lastRead = 0;
let timer: number | undefined;

export function lineOf(key: string): Signal<Line> {
  let line = lines.get(key);
  if (!line) lines.set(key, (line = signal(emptyLine(key))));
  return line;
}

function addKeys(more: Iterable<string>): void {
  const all = new Set([...keys.value, ...more]);
  if (all.size !== keys.value.length) keys.value = [...all].sort();
}

async function readLines(id: string, mine: number): Promise<SeriesColumns[]> {
  const columns: SeriesColumns[] = [];
  const names = stored.map((series) => series.key);
  const zoom = range.peek();
  for (let at = 0; at < names.length && mine === turn; at += keysPerRead) {
    const part = names.slice(at, at + keysPerRead);
    const query = { session: id, keys: part, axis: axis.peek(), from: zoom?.from ?? null, to: zoom?.to ?? null, width };
    columns.push(...(await getSeries(query, abort?.signal)).series);
  }
  return columns;
}

function place(columns: SeriesColumns[]): void {
  const steps = new Map(stored.map((series) => [series.key, series.last_step]));
  const late = arrived ?? [];
  arrived = null;
  batch(() => {
    for (const one of columns) {
      const line = lineOf(one.key);
      const fresh = fromColumns(one, axis.peek(), steps.get(one.key) ?? null);
      if (!misplaced && range.peek() === null) keepTail(fresh, line.peek());
      line.value = fresh;
    }
    misplaced = false;
    for (const [key, point] of late) append(key, point, true);
  });
}

/** Reads the session, its epochs and its lines. The newest call wins; an older one that is still under way is given up. */
export async function refresh(): Promise<void> {
  const id = openId.peek();
  if (id === null) return;
  const mine = ++turn;
  abort?.abort();
  abort = new AbortController();
  clearTimeout(timer);
  timer = undefined;
  lastRead = Date.now();
  arrived = [];
  if (heldAxis !== axis.peek()) {
    // Steps can't stand among microseconds, not even until the reply is here.
    heldAxis = axis.peek();
    batch(() => lines.forEach((line, key) => (line.value = emptyLine(key))));
  }
  reading.value = true;
  try {
    const detail = await getSession(id);
    if (mine !== turn) return;
    stored = detail.series;
    batch(() => {
      putSessions([detail.session]);
      epochs.value = detail.metrics;
      addKeys(stored.map((series) => series.key));
      openError.value = null;
    });
    const columns = await readLines(id, mine);
    if (mine === turn) place(columns);
  } catch (error) {
    if (mine !== turn) return;
    arrived = null;
    // Lines that are on the page stay; only a page with nothing shows the error in their place.
    if (!sessions.peek().has(id) || error instanceof ApiError) openError.value = explain(error);
  } finally {
    if (mine === turn) reading.value = false;
  }
}

/** Asks for a new read soon: now if the last one is old enough. */
export function refreshSoon(): void {
  if (timer !== undefined || openId.peek() === null) return;
  timer = window.setTimeout(() => void refresh(), Math.max(0, lastRead + shortestGap - Date.now()));
}

function append(key: string, point: LivePoint, again = false): void {
  const line = lineOf(key);
  const zoom = range.peek();
  const x = axis.peek() === "step" ? point.step : point.time;
  if (zoom && (x > zoom.to || x < zoom.from)) return;
  const result = mergePoint(line.peek(), point, axis.peek());
  if (result === "appended") line.value = { ...line.peek() };
  // What came during a read may be in its reply; that is no point out of place.
  if (result === "behind" && again) return;
  if (result === "behind") misplaced = true;
  if (result === "behind" || line.peek().appended > longTail) refreshSoon();
}

export function take(update: MetricsUpdate): void {
  if (update.session_id !== openId.peek()) return;
  const points = Object.entries(update.points ?? {});
  batch(() => {
    system.value = update.system ?? null;
    addKeys(points.map((pair) => pair[0]));
    for (const [key, point] of points) {
      arrived?.push([key, point]);
      append(key, point);
    }
  });
}

export function open(id: string | null): void {
  if (openId.peek() === id) return;
  turn++;
  abort?.abort();
  lines.clear();
  misplaced = false;
  stored = [];
  batch(() => {
    openId.value = id;
    epochs.value = [];
    keys.value = [];
    openError.value = null;
    system.value = null;
    range.value = null;
  });
  if (id !== null) void refresh();
}
