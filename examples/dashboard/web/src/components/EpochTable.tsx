/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The epoch rows as the store keeps them; columns that no row fills are left out. */
import type { EpochRow } from "../api/types";
import { number } from "../pure/format";
import { epochs } from "../state/current";

const columns: [string, string][] = [
  ["total_loss", "loss"],
  ["val_loss", "val loss"],
  ["train_accuracy", "accuracy"],
  ["val_accuracy", "val accuracy"],
  ["box_loss", "box loss"],
  ["cls_loss", "cls loss"],
  ["dfl_loss", "dfl loss"],
  ["precision", "precision"],
  ["recall", "recall"],
  ["map50", "mAP50"],
  ["map50_95", "mAP50-95"],
  ["learning_rate", "learning rate"],
  ["epoch_time_seconds", "seconds"],
  ["gpu_memory_mb", "GPU MB"],
];

const value = (row: EpochRow, name: string): number | null => {
  const own = row[name] ?? row.extra?.[name];
  return typeof own === "number" ? own : null;
};

export function EpochTable() {
  const rows = epochs.value;
  if (rows.length === 0) return null;
  const extra = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row.extra ?? {})) extra.add(name);
  const all = [...columns, ...[...extra].sort().map((name): [string, string] => [name, name])];
  const shown = all.filter(([name]) => rows.some((row) => value(row, name) !== null));
  return (
    <section class="panel">
      <h2>Epochs</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Epochs">
        <table class="numbers" data-testid="epochs" data-rows={rows.length}>
          <thead>
            <tr>
              <th scope="col">epoch</th>
              {shown.map(([name, title]) => (
                <th key={name} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...rows].reverse().map((row) => (
              <tr key={row.epoch}>
                <th scope="row">{row.epoch}</th>
                {shown.map(([name]) => (
                  <td key={name}>{number(value(row, name))}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
