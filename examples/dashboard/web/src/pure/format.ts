/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Numbers, times and durations as the page writes them; a missing figure is a dash. */

const none = "–";
type Maybe = number | null | undefined;

export function number(value: Maybe): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return none;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2);
  if (Number.isInteger(value)) return String(value);
  // Four digits tell little of 12345.6; large numbers keep all before the point.
  const digits = size < 1e3 ? 4 : size < 1e6 ? 6 : 7;
  return String(Number(value.toPrecision(digits)));
}

export function count(value: Maybe): string {
  if (value === null || value === undefined) return none;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function percent(value: Maybe): string {
  if (value === null || value === undefined) return none;
  // Rounded down: nothing that still runs is at 100 %.
  return `${value >= 100 ? "100" : (Math.floor(value * 10) / 10).toFixed(1)} %`;
}

export function duration(seconds: Maybe): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return none;
  if (seconds > 0 && seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const d = Math.floor(whole / 86_400);
  const h = Math.floor(whole / 3600) % 24;
  const m = Math.floor(whole / 60) % 60;
  const s = whole % 60;
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  if (m > 0) return `${m} min ${s} s`;
  return `${s} s`;
}

const pad = (value: number): string => String(value).padStart(2, "0");

/** Local date and time of an ISO 8601 text. */
export function dateTime(iso: string | null | undefined): string {
  if (!iso) return none;
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return none;
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** "3 / 10", or what is known of it. */
export function outOf(value: Maybe, of: Maybe): string {
  if (value === null || value === undefined) return of === null || of === undefined ? none : `${none} / ${of}`;
  return of === null || of === undefined || of === 0 ? String(value) : `${value} / ${of}`;
}
