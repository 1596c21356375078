/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What follows from a session object: order, filter, which commands make sense, its words. */
import type { Session } from "../api/types";
import { number } from "./format";

export const isActive = (session: Session): boolean => session.status === "running" || session.status === "pending";

export const nameOf = (session: Session): string => session.session_name || session.model_type || session.id.slice(0, 8);

/** The one word of the status chip. */
export function statusWord(session: Session): string {
  if (!isActive(session)) return session.status;
  if (session.control === "stop") return "stopping";
  if (session.control === "pause") return session.paused ? "paused" : "pausing";
  return session.status;
}

export interface Commands {
  pause: boolean;
  resume: boolean;
  stop: boolean;
}

export function commandsOf(session: Session): Commands {
  const open = isActive(session) && session.control !== "stop";
  return {
    pause: open && session.control === "run",
    resume: open && session.control === "pause",
    stop: open,
  };
}

const startOf = (session: Session): string => session.started_at ?? session.created_at ?? "";

/** Running first, then the newest. */
export function inOrder(sessions: Iterable<Session>): Session[] {
  return [...sessions].sort((a, b) => {
    const active = Number(isActive(b)) - Number(isActive(a));
    if (active !== 0) return active;
    const from = startOf(a);
    const to = startOf(b);
    return from === to ? 0 : from < to ? 1 : -1;
  });
}

export function matches(session: Session, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = [session.session_name, session.model_type, session.dataset_name, statusWord(session), session.id].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The final and best figures that are known, as name and value. */
export function figures(session: Session): [string, string][] {
  const all: [string, number | null][] = [
    ["loss", session.final_loss],
    ["mAP50-95", session.final_map50_95],
    ["mAP50", session.final_map50],
    ["precision", session.final_precision],
    ["recall", session.final_recall],
    ["best epoch", session.best_epoch],
  ];
  return all.filter((pair) => pair[1] !== null).map(([name, value]) => [name, number(value)]);
}
