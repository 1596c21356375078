/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How all charts of the page are looked at. */
import { computed, signal } from "@preact/signals";
import type { Axis } from "../api/types";

export interface Range {
  from: number;
  to: number;
}

export const axis = signal<Axis>("step");
export const smoothing = signal(0);
export const logScale = signal(false);

/** The zoomed range in units of the axis (steps or microseconds); null shows all. */
export const range = signal<Range | null>(null);
export const zoomed = computed(() => range.value !== null);

/** Where the pointer is on the x axis of any chart. */
export const cursorX = signal<number | null>(null);

export function setAxis(to: Axis): void {
  // A range of steps means nothing in time.
  range.value = null;
  cursorX.value = null;
  axis.value = to;
}
