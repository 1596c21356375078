/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Time since the start, which runs on between messages, and time left. */
import type { Session } from "../api/types";
import { duration } from "../pure/format";
import { isActive } from "../pure/session";
import { now } from "../state/clock";
import { heardAt } from "../state/sessions";

function sinceHeard(session: Session): number {
  if (!isActive(session) || !session.live || session.paused) return 0;
  return Math.max(0, (now.value - (heardAt.get(session.id) ?? now.value)) / 1000);
}

export function Elapsed(props: { session: Session }) {
  const { session } = props;
  const known = session.progress?.elapsed_seconds ?? session.duration_seconds;
  if (known === null) return <>–</>;
  return <>{duration(Math.floor(known + sinceHeard(session)))}</>;
}

export function Remaining(props: { session: Session }) {
  const { session } = props;
  const eta = session.progress?.eta_seconds;
  if (!isActive(session) || eta === null || eta === undefined) return <>–</>;
  return <>{duration(Math.max(0, Math.round(eta - sinceHeard(session))))}</>;
}
