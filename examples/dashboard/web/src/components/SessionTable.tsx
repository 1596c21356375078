/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A table of sessions; on a narrow screen each row becomes a card. */
import type { Session } from "../api/types";
import { count } from "../pure/format";
import { SessionRow } from "./SessionRow";

export function SessionTable(props: { title: string; sessions: Session[]; count: number }) {
  return (
    <section>
      <h2>
        {props.title} <span class="dim">{count(props.count)}</span>
      </h2>
      <table class="sessions cards">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Status</th>
            <th scope="col">Progress</th>
            <th scope="col">Epochs</th>
            <th scope="col">Figures</th>
            <th scope="col">Started</th>
            <th scope="col">Duration</th>
          </tr>
        </thead>
        <tbody>
          {props.sessions.map((session) => (
            <SessionRow key={session.id} session={session} />
          ))}
        </tbody>
      </table>
    </section>
  );
}
