/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One chart with its title, legend and table. */
import { useState } from "preact/hooks";
import type { Group } from "../pure/groups";
import { lineOf } from "../state/current";
import { ChartCanvas } from "./ChartCanvas";
import { ChartLegend } from "./ChartLegend";
import { ChartTable } from "./ChartTable";

export function ChartPanel(props: { group: Group }) {
  const { group } = props;
  const [table, setTable] = useState(false);
  const lines = group.keys.map((key) => lineOf(key).value);
  return (
    <figure class="chart panel">
      <figcaption class="row">
        <h2 class="words">
          <bdi>{group.name}</bdi>
        </h2>
        <button type="button" class="quiet small" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? "View as chart" : "View as table"}
        </button>
      </figcaption>
      <ChartLegend lines={lines} />
      {table ? <ChartTable name={group.name} lines={lines} /> : null}
      <ChartCanvas group={group} lines={lines} hidden={table} />
    </figure>
  );
}
