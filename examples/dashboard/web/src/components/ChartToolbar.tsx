/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Smoothing, x axis, y scale and zoom of all charts. */
import type { Axis } from "../api/types";
import { axis, logScale, range, setAxis, smoothing, zoomed } from "../state/view";

export function ChartToolbar() {
  return (
    <div class="toolbar">
      <label>
        Smoothing
        <input
          type="range"
          min="0"
          max="0.99"
          step="0.01"
          value={smoothing.value}
          onInput={(event) => {
            smoothing.value = Number(event.currentTarget.value);
          }}
        />
        <output>{smoothing.value.toFixed(2)}</output>
      </label>
      <label>
        x axis
        <select value={axis.value} onChange={(event) => setAxis(event.currentTarget.value as Axis)}>
          <option value="step">step</option>
          <option value="time">time</option>
        </select>
      </label>
      <label>
        <input
          type="checkbox"
          checked={logScale.value}
          onChange={(event) => {
            logScale.value = event.currentTarget.checked;
          }}
        />
        log scale
      </label>
      <button
        type="button"
        disabled={!zoomed.value}
        onClick={() => {
          range.value = null;
        }}
      >
        Reset zoom
      </button>
      <span class="dim small hint">Drag over a chart to zoom, double-click to reset.</span>
    </div>
  );
}
