/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The WebSocket: reconnects by itself with back-off and tells when it is (again) connected. */
import type { Message } from "./types";

export type Connection = "connecting" | "open" | "waiting";

export interface LiveHandlers {
  state(state: Connection): void;
  opened(): void;
  message(message: Message): void;
}

const firstDelay = 500;
const longestDelay = 15_000;

/** The delay before attempt `attempt` (0 first); `chance` in [0, 1) spreads clients of one restarted server. */
export function backOff(attempt: number, chance: number): number {
  const full = Math.min(longestDelay, firstDelay * 2 ** Math.min(attempt, 10));
  return full * (0.5 + chance / 2);
}

export class Live {
  private socket: WebSocket | null = null;
  private attempt = 0;
  private timer: number | undefined;
  private wanted: string[] | "all" = "all";

  constructor(private readonly handlers: LiveHandlers) {}

  start(): void {
    this.connect();
    // A laptop that wakes, or a network that returns, should not wait for the back-off.
    const hurry = (): void => {
      if (this.socket || document.hidden) return;
      this.attempt = 0;
      this.connect();
    };
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
  }

  subscribe(sessions: string[] | "all"): void {
    this.wanted = sessions;
    if (this.socket?.readyState === WebSocket.OPEN) this.send();
  }

  private send(): void {
    this.socket?.send(JSON.stringify({ type: "subscribe", sessions: this.wanted }));
  }

  private connect(): void {
    clearTimeout(this.timer);
    this.handlers.state("connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.send();
      this.handlers.state("open");
      this.handlers.opened();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (typeof event.data !== "string") return;
      let message: Message;
      try {
        message = JSON.parse(event.data) as Message;
      } catch {
        return;
      }
      this.handlers.message(message);
    };
    socket.onclose = () => {
      this.socket = null;
      this.handlers.state("waiting");
      this.timer = window.setTimeout(() => this.connect(), backOff(this.attempt++, Math.random()));
    };
  }
}
