/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How far a session is. */
import type { Session } from "../api/types";
import { percent } from "../pure/format";
import { nameOf } from "../pure/session";

export function ProgressBar(props: { session: Session; wide?: boolean }) {
  const value = props.session.progress?.percent;
  const known = value !== null && value !== undefined;
  return (
    <span class={props.wide ? "progress wide" : "progress"}>
      <progress max={100} value={known ? Math.min(100, Math.max(0, value)) : 0} aria-label={`Progress of ${nameOf(props.session)}`} />
      <span class="figure">{percent(value)}</span>
    </span>
  );
}
