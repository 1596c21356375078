/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All sessions that the page knows, by id, as the server last said. */
import { computed, signal } from "@preact/signals";
import { command, getActive, getSession, getSessions, type Command } from "../api/client";
import type { Session } from "../api/types";
import { inOrder, statusWord } from "../pure/session";
import { explain } from "./access";
import { say } from "./toast";

const pageSize = 100;
const longestSettle = 60;

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

/** Asks until the trainer has obeyed: the WebSocket may be down just now, and the buttons must still tell the truth. */
async function settle(id: string, tries: number): Promise<void> {
  for (let i = 0; i < tries; i++) {
    await new Promise((done) => setTimeout(done, 1000));
    const session = sessions.peek().get(id);
    if (!session || !["pausing", "resuming", "stopping"].includes(statusWord(session))) return;
    await getSession(id).then((detail) => putSessions([detail.session]), () => undefined);
  }
}

export async function send(name: Command, id: string): Promise<void> {
  try {
    const reply = await command(name, id);
    const session = sessions.value.get(id);
    if (session) putSessions([{ ...session, control: reply.control }]);
    void settle(id, longestSettle);
  } catch (error) {
    say("error", explain(error));
  }
}
