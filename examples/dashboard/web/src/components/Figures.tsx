/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The final and best figures of a session. */
import type { Session } from "../api/types";
import { figures } from "../pure/session";

export function Figures(props: { session: Session }) {
  const known = figures(props.session);
  if (known.length === 0) return <span class="dim">–</span>;
  return (
    <ul class="figures">
      {known.map(([name, value]) => (
        <li key={name}>
          <span class="dim">{name}</span> {value}
        </li>
      ))}
    </ul>
  );
}
