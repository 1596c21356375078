/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The range and the ticks of a linear y axis. Those of uPlot take six nines or zeros in a row for a rounding error: 1.19999995e-7 becomes 1.2e-7, so
 * that a slowly falling line gets a range without height, or one that leaves part of the line out.
 */
const mostTicks = 6;
const leads = [10, 20, 25, 50, 100];
const smallest = 1e-300;

/** `digits` times a power of ten as the double nearest to it; a product would add its own rounding error. */
const decimal = (digits: number, power: number): number => Number(`${digits}e${power}`);

/** A range of a few rounding errors gives ticks that no double can tell apart; it is drawn as one constant, with zero in sight. */
export function linearRange(min: number, max: number): [number, number] {
  const size = Math.max(Math.abs(min), Math.abs(max));
  if (size < smallest) return [0, 1];
  const delta = max - min;
  if (delta < 1e-9 * size) return min < 0 ? [2 * min, 0] : [0, 2 * max];
  // Whole hundredths, so that the axis does not move with every point.
  const power = Math.floor(Math.log10(delta)) - 1;
  const unit = decimal(1, power);
  const low = decimal(Math.floor((min - delta / 10) / unit), power);
  const high = decimal(Math.ceil((max + delta / 10) / unit), power);
  return [min >= 0 && low < 0 ? 0 : low, max <= 0 && high > 0 ? 0 : high];
}

/** The step from tick to tick: its digits and the power of ten they are multiplied by. */
function step(min: number, max: number): [number, number] {
  const least = (max - min) / mostTicks;
  const power = Math.floor(Math.log10(least)) - 1;
  return [leads.find((lead) => decimal(lead, power) >= least) ?? 100, power];
}

/** Zero where the range is without height or has no end. */
export function tickIncrement(min: number, max: number): number {
  const delta = max - min;
  return delta > smallest && delta < Infinity ? decimal(...step(min, max)) : 0;
}

export function linearTicks(min: number, max: number): number[] {
  const increment = tickIncrement(min, max);
  if (increment === 0) return [];
  const [lead, power] = step(min, max);
  const ticks: number[] = [];
  // A quotient of a whole number may miss it by a rounding error.
  for (let n = Math.ceil(min / increment - 1e-4); n <= max / increment + 1e-4; n++) ticks.push(decimal(n * lead, power));
  return ticks;
}
