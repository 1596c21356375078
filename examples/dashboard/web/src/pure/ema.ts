/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Debiased exponential moving average, weighted by distance on the x axis. The decay over a distance d is weight^(d / spacing) with the mean
 * spacing of the line as unit, so that a stretch of dense live points weighs as much as the one bucket it will become.
 */

export type Values = ArrayLike<number | null>;

export function ema(x: ArrayLike<number>, y: Values, weight: number): (number | null)[] {
  const n = x.length;
  const out = new Array<number | null>(n);
  if (weight <= 0 || n < 2) {
    for (let i = 0; i < n; i++) out[i] = y[i] ?? null;
    return out;
  }
  const range = (x[n - 1] as number) - (x[0] as number);
  const spacing = range > 0 ? range / (n - 1) : 1;
  let sum = 0;
  let mass = 0;
  let before = NaN;
  for (let i = 0; i < n; i++) {
    const value = y[i];
    if (value === null || value === undefined || !Number.isFinite(value)) {
      out[i] = null;
      continue;
    }
    const at = x[i] as number;
    const decay = Number.isNaN(before) ? weight : weight ** (Math.max(at - before, 0) / spacing);
    sum = sum * decay + value * (1 - decay);
    mass = mass * decay + (1 - decay);
    before = at;
    // Two points at one x add no mass; the average so far stands.
    out[i] = mass > 0 ? sum / mass : value;
  }
  return out;
}
