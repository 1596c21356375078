/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One session in the list. */
import type { Session } from "../api/types";
import { dateTime, outOf } from "../pure/format";
import { sessionPath } from "../pure/route";
import { nameOf } from "../pure/session";
import { About } from "./About";
import { Elapsed } from "./Clock";
import { Figures } from "./Figures";
import { ProgressBar } from "./ProgressBar";
import { StatusChip } from "./StatusChip";

export function SessionRow(props: { session: Session }) {
  const { session } = props;
  return (
    <tr data-session={session.id}>
      <th scope="row">
        <a href={sessionPath(session.id)}>
          <bdi>{nameOf(session)}</bdi>
        </a>
        <About session={session} small />
      </th>
      <td data-label="Status">
        <StatusChip session={session} />
      </td>
      <td data-label="Progress">
        <ProgressBar session={session} />
      </td>
      <td data-label="Epochs" class="whole">{outOf(session.progress?.epoch, session.progress?.epochs ?? session.epochs)}</td>
      <td data-label="Figures">
        <Figures session={session} />
      </td>
      <td data-label="Started" class="whole">{dateTime(session.started_at ?? session.created_at)}</td>
      <td data-label="Duration">
        <Elapsed session={session} />
      </td>
    </tr>
  );
}
