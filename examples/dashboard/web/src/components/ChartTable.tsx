/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The latest entries of a chart as text. */
import { dateTime, number } from "../pure/format";
import type { Line } from "../pure/line";
import { lastRows } from "../pure/table";
import { axis } from "../state/view";

const limit = 50;

function cell(entry: [number | null, number | null, number | null] | null | undefined): string {
  if (!entry) return "";
  const [last, min, max] = entry;
  if (last === null) return "not finite";
  return min === max ? number(last) : `${number(last)} (${number(min)} to ${number(max)})`;
}

export function ChartTable(props: { name: string; lines: Line[] }) {
  const time = axis.value === "time";
  const rows = lastRows(props.lines, limit);
  return (
    <div class="scroll short" tabIndex={0} role="region" aria-label={`${props.name} as a table`}>
      <table class="numbers">
        <caption class="dim small">The latest {rows.length} entries: last value, in brackets the lowest and highest where an entry covers several points.</caption>
        <thead>
          <tr>
            <th scope="col">{axis.value}</th>
            {props.lines.map((line) => (
              <th key={line.key} scope="col">
                {line.key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.x}>
              <th scope="row">{time ? `${dateTime(new Date(row.x / 1000).toISOString())}:${((row.x / 1e6) % 60).toFixed(1).padStart(4, "0")}` : row.x}</th>
              {row.cells.map((entry, column) => (
                <td key={column}>{cell(entry)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
