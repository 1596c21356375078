/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Brings the live messages to the sessions and to the open session. */
import { batch, effect, signal } from "@preact/signals";
import { Live, type Connection } from "../api/live";
import type { Message, Session } from "../api/types";
import { openId, refresh, refreshSoon, take } from "./current";
import { loadSessions, putSessions, sessions } from "./sessions";

export const connection = signal<Connection>("connecting");

function heard(session: Session): void {
  const before = sessions.peek().get(session.id);
  putSessions([session]);
  // A finished epoch has a new row in the table.
  const epochEnded = before !== undefined && before.progress?.epoch !== session.progress?.epoch;
  if (session.id === openId.peek() && epochEnded) refreshSoon();
}

function receive(message: Message): void {
  switch (message.type) {
    case "metrics_update":
      batch(() => {
        heard(message.session);
        take(message);
      });
      break;
    case "training_started":
    case "training_progress":
      heard(message.session);
      break;
    case "training_completed":
    case "training_failed":
      heard(message.session);
      if (message.session_id === openId.peek()) void refresh();
      break;
    case "resync":
      if (message.session_id === openId.peek()) void refresh();
      break;
    default:
      // A newer server may say more.
      break;
  }
}

export function startLive(): void {
  let again = false;
  const live = new Live({
    state: (state) => {
      connection.value = state;
    },
    opened: () => {
      // What came while the connection was down is only in the store.
      if (again) {
        void loadSessions();
        void refresh();
      }
      again = true;
    },
    message: receive,
  });
  // A session's page needs only its own messages; lists need all.
  effect(() => live.subscribe(openId.value === null ? "all" : [openId.value]));
  live.start();
}
