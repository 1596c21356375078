/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The lines of a chart with their values, at the pointer or the latest. */
import { count, number } from "../pure/format";
import { at, latest, sum, type Line } from "../pure/line";
import { cursorX } from "../state/view";

function oddities(line: Line): string {
  const nan = sum(line.nan);
  const inf = sum(line.inf);
  return [nan > 0 ? `${count(nan)} NaN` : "", inf > 0 ? `${count(inf)} Inf` : ""].filter(Boolean).join(", ");
}

export function ChartLegend(props: { lines: Line[] }) {
  const x = cursorX.value;
  return (
    <ul class="legend">
      {props.lines.map((line, index) => {
        const odd = oddities(line);
        return (
          <li key={line.key}>
            <span class="swatch" data-line={index % 6} aria-hidden="true" />
            <bdi class="name">{line.key}</bdi> <span class="figure">{number(x === null ? latest(line) : at(line, x))}</span>
            {odd ? <span class="odd">{odd}</span> : null}
          </li>
        );
      })}
    </ul>
  );
}
