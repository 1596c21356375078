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
  let mean = 0;
  let mass = 0;
  let before = NaN;
  for (let i = 0; i < n; i++) {
    const value = y[i];
    if (value === null || value === undefined || !Number.isFinite(value)) {
      out[i] = null;
      continue;
    }
    const at = x[i] as number;
    // 1 - decay, without the digits that a subtraction loses where points lie dense.
    const share = Number.isNaN(before) ? 1 - weight : -Math.expm1((Math.log(weight) * Math.max(at - before, 0)) / spacing);
    mass = mass * (1 - share) + share;
    before = at;
    // Moving the mean keeps a constant line exactly constant. Two points at one x add no mass; the average so far stands.
    if (mass > 0) mean += ((value - mean) * share) / mass;
    out[i] = mass > 0 ? mean : value;
  }
  return out;
}
