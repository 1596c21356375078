/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The load of the machine that trains, as far as it is known. */
import { number } from "../pure/format";
import { system } from "../state/current";

const names = [
  ["gpu_usage", "GPU", "%"],
  ["gpu_memory", "GPU memory", "%"],
  ["gpu_temp", "GPU heat", "°C"],
  ["ram_usage", "Memory", "%"],
] as const;

export function SystemFigures() {
  const figures = system.value;
  if (!figures) return null;
  return (
    <>
      {names.map(([key, name, unit]) => {
        const value = figures[key];
        if (value === null || value === undefined) return null;
        return (
          <div key={key}>
            <dt>{name}</dt>
            <dd>
              {number(Math.round(value))} {unit}
            </dd>
          </div>
        );
      })}
    </>
  );
}
