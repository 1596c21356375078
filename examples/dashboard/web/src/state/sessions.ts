/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All sessions that the page knows, by id, as the server last said. */
import { batch, computed, signal } from "@preact/signals";
import { command, getActive, getSession, getSessions, type Command } from "../api/client";
import type { Session, Status } from "../api/types";
import { inOrder, statusWord } from "../pure/session";
import { explain } from "./access";
import { say } from "./toast";

const pageSize = 100;
const bulkSize = 1000;
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

/** How far down the server's list was read. Live messages bring sessions from anywhere in it, so the size of the map does not tell. */
let depth = 0;

export const allRead = signal(false);

async function readPage(size: number, offset: number): Promise<void> {
  const page = await getSessions(size, offset);
  depth = Math.max(depth, offset + page.sessions.length);
  batch(() => {
    putSessions(page.sessions);
    total.value = Math.max(page.total, sessions.value.size);
    allRead.value = page.sessions.length === 0 || depth >= page.total;
  });
}

export async function loadSessions(more = false): Promise<void> {
  try {
    const active = getActive();
    await readPage(pageSize, more ? depth : 0);
    putSessions((await active).sessions);
    listError.value = null;
    loaded.value = true;
  } catch (error) {
    listError.value = explain(error);
  }
}

/** Reads the whole list: a filter has to look at every session, not only at those on the page. */
export async function loadAll(): Promise<void> {
  try {
    while (!allRead.peek()) await readPage(bulkSize, depth);
  } catch (error) {
    listError.value = explain(error);
  }
}

export async function loadOf(status: Status): Promise<void> {
  try {
    for (let offset = 0, length = bulkSize; length === bulkSize; offset += bulkSize) {
      const page = await getSessions(bulkSize, offset, status);
      length = page.sessions.length;
      putSessions(page.sessions);
    }
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
    if (!session || !["pausing", "stopping"].includes(statusWord(session))) return;
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
