/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The words of a numeric axis: as many digits as tell neighbours apart, so 12345.2 and 12345.4 never both become 12350. */
import { number } from "./format";

const largePlain = 1e7;
const mostDecimals = 6;

/** The last decimal place that multiples of `increment` need, as a power of ten; 0.25 needs -2. */
function lastPlace(increment: number): number {
  const power = Math.floor(Math.log10(increment) + 1e-9);
  const lead = increment / 10 ** power;
  return Math.abs(lead - Math.round(lead)) < 1e-6 ? power : power - 1;
}

/** Ticks that are null are left without words. */
export function tickLabels(ticks: readonly (number | null)[], increment: number): string[] {
  if (!(increment > 0) || !Number.isFinite(increment)) return logLabels(ticks);
  const place = lastPlace(increment);
  const largest = Math.max(...ticks.map((tick) => Math.abs(tick ?? 0)));
  const scientific = -place > mostDecimals || (largest >= largePlain && place >= 3);
  return ticks.map((tick) => {
    if (tick === null) return "";
    // A sum of increments may miss zero by a rounding error.
    if (Math.abs(tick) < increment / 1e3) return "0";
    if (!scientific) return tick.toFixed(Math.max(0, -place));
    const digits = Math.floor(Math.log10(Math.abs(tick)) + 1e-9) - place;
    return tick.toExponential(Math.min(15, Math.max(0, digits)));
  });
}

/** Ticks of a logarithmic axis are whole multiples of a power of ten. */
export function logLabels(ticks: readonly (number | null)[]): string[] {
  return ticks.map((tick) => {
    if (tick === null) return "";
    const size = Math.abs(tick);
    return size >= largePlain || (size > 0 && size < 1e-3) ? tick.toExponential(0) : number(tick);
  });
}
