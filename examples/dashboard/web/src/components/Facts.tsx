/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Settings and machine of a session, as they were recorded, and its figures. */
import type { Session } from "../api/types";
import { number } from "../pure/format";
import { Figures } from "./Figures";

const text = (value: unknown): string =>
  typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value);

export function Facts(props: { session: Session }) {
  const { session } = props;
  const own: [string, unknown][] = [
    ["dataset size", session.dataset_size],
    ["batch size", session.batch_size],
    ["learning rate", session.learning_rate],
    ["image size", session.img_size],
    ["model file", session.model_path],
    ["id", session.id],
  ];
  const rows = [...own, ...Object.entries(session.config ?? {}), ...Object.entries(session.hardware_info ?? {})].filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return (
    <details class="panel">
      <summary>Settings and figures</summary>
      <Figures session={session} />
      <dl class="settings">
        {rows.map(([name, value], at) => (
          <div key={at}>
            <dt>{name}</dt>
            <dd>{text(value)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
