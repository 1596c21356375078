/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The drawing of one chart, its text for those who can't see it, and its counts for tests. */
import { useEffect, useRef } from "preact/hooks";
import { Plot } from "../chart/plot";
import { number } from "../pure/format";
import type { Group } from "../pure/groups";
import { extent, latest, sum, type Line } from "../pure/line";
import { theme } from "../state/theme";
import { axis, logScale, range, smoothing } from "../state/view";

function summary(name: string, lines: readonly Line[]): string {
  const parts = lines.map((line) => {
    const span = extent(line);
    if (!span) return `${line.key}: no finite value`;
    const step = line.lastStep === null ? "" : ` at step ${line.lastStep}`;
    return `${line.key}: ${number(latest(line))}${step}, from ${number(span[0])} to ${number(span[1])}, ${line.points} points`;
  });
  return `Chart of ${name}. ${parts.join(". ")}`;
}

export function ChartCanvas(props: { group: Group; lines: Line[]; hidden: boolean }) {
  const { group, lines } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const shape = `${group.keys.join("\n")}|${axis.value}|${logScale.value}|${theme.value}|${smoothing.value > 0}`;
  useEffect(() => {
    if (!place.current) return undefined;
    const made = new Plot(place.current, { keys: group.keys, axis: axis.value, log: logScale.value, smooth: smoothing.value > 0 });
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  const zoom = range.value;
  const weight = smoothing.value;
  useEffect(() => plot.current?.show({ lines, weight, zoom }));
  const steps = lines.map((line) => line.lastStep ?? -1);
  return (
    <div
      ref={place}
      class="canvas"
      hidden={props.hidden}
      role="img"
      aria-label={summary(group.name, lines)}
      data-testid="chart"
      data-group={group.name}
      data-points={sum(lines.map((line) => line.points))}
      data-entries={sum(lines.map((line) => line.x.length))}
      data-last-step={Math.max(...steps)}
    />
  );
}
