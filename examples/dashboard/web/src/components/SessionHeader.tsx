/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Name, status, progress and times of a session, with its commands. */
import type { Session } from "../api/types";
import { count, dateTime, outOf } from "../pure/format";
import { nameOf, statusWord } from "../pure/session";
import { About } from "./About";
import { Elapsed, Remaining } from "./Clock";
import { Controls } from "./Controls";
import { ProgressBar } from "./ProgressBar";
import { StatusChip } from "./StatusChip";
import { SystemFigures } from "./SystemFigures";

export function SessionHeader(props: { session: Session }) {
  const { session } = props;
  const progress = session.progress;
  const facts = [
    ["Epoch", outOf(progress?.epoch, progress?.epochs ?? session.epochs)],
    ["Batch", outOf(progress?.batch, progress?.batches)],
    ["Images", count(progress?.images)],
    ["Elapsed", <Elapsed session={session} />],
    ["Remaining", <Remaining session={session} />],
    ["Started", dateTime(session.started_at ?? session.created_at)],
  ] as const;
  return (
    <header class="session">
      <div class="row">
        <div class="words">
          <h1>
            <bdi>{nameOf(session)}</bdi> <StatusChip session={session} />
          </h1>
          <About session={session} />
          <p class="hidden" role="status">
            Status: {statusWord(session)}
          </p>
        </div>
        <Controls session={session} />
      </div>
      <ProgressBar session={session} wide />
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <SystemFigures />
      </dl>
    </header>
  );
}
