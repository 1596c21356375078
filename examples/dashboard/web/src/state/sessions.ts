/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All sessions that the page knows, by id, as the server last said. */
import { computed, signal } from "@preact/signals";
import { command, getActive, getSession, getSessions, type Command } from "../api/client";
import type { Session } from "../api/types";
import { inOrder } from "../pure/session";
import { explain } from "./access";
import { say } from "./toast";

const pageSize = 100;

export const sessions = signal<ReadonlyMap<string, Session>>(new Map());
export const total = signal(0);
export const loaded = signal(false);
export const listError = signal<string | null>(null);
export const ordered = computed(() => inOrder(sessions.value.values()));

/** When each session was last heard of, for clocks that run on between messages. */
export const heardAt = new Map<string, number>();

export function putSessions(list: Iterable<Session>): void {
  const map = new Map(sessions.value);
  for (const session of list) {
    // Messages leave out config and hardware_info; what was read before stands.
    map.set(session.id, { ...map.get(session.id), ...session });
    heardAt.set(session.id, Date.now());
  }
  sessions.value = map;
}

export async function loadSessions(more = false): Promise<void> {
  try {
    const offset = more ? sessions.value.size : 0;
    const [page, active] = await Promise.all([getSessions(pageSize, offset), getActive()]);
    putSessions([...page.sessions, ...active.sessions]);
    total.value = page.total;
    listError.value = null;
    loaded.value = true;
  } catch (error) {
    listError.value = explain(error);
  }
}

export async function send(name: Command, id: string): Promise<void> {
  try {
    const reply = await command(name, id);
    const session = sessions.value.get(id);
    if (session) putSessions([{ ...session, control: reply.control }]);
    // The WebSocket may be down just now; the buttons must still tell the truth.
    setTimeout(() => void getSession(id).then((detail) => putSessions([detail.session]), () => undefined), 1000);
  } catch (error) {
    say("error", explain(error));
  }
}
