/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The live messages: over the WebSocket, or, where none can be opened, over /events, which carries the same ones. It reconnects by itself with
 * back-off, tells when it is (again) connected, and while on /events goes on trying the WebSocket, more and more rarely.
 */
import type { Message } from "./types";

export type Connection = "connecting" | "open" | "stream" | "waiting";

export interface LiveHandlers {
  state(state: Connection): void;
  opened(): void;
  message(message: Message): void;
}

const firstDelay = 500;
const longestDelay = 15_000;
const streamFirstDelay = 2_000;
const streamLongestDelay = 60_000;
/** A proxy that swallows the upgrade would otherwise hold the page for minutes. */
const patience = 5_000;

/** The delay before attempt `attempt` (0 first); `chance` in [0, 1) spreads clients of one restarted server. */
export function backOff(attempt: number, chance: number, streaming = false): number {
  const [shortest, longest] = streaming ? [streamFirstDelay, streamLongestDelay] : [firstDelay, longestDelay];
  const full = Math.min(longest, shortest * 2 ** Math.min(attempt, 10));
  return full * (0.5 + chance / 2);
}

export class Live {
  private socket: WebSocket | null = null;
  private stream: EventSource | null = null;
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

  /** Over /events all sessions come; who hears them leaves out what it does not want. */
  subscribe(sessions: string[] | "all"): void {
    this.wanted = sessions;
    if (this.socket?.readyState === WebSocket.OPEN) this.send();
  }

  private send(): void {
    this.socket?.send(JSON.stringify({ type: "subscribe", sessions: this.wanted }));
  }

  private streaming(): boolean {
    return this.stream?.readyState === EventSource.OPEN;
  }

  private connect(): void {
    clearTimeout(this.timer);
    if (!this.stream) this.handlers.state("connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    const limit = setTimeout(() => socket.close(), patience);
    let opened = false;
    this.socket = socket;
    socket.onopen = () => {
      clearTimeout(limit);
      opened = true;
      this.attempt = 0;
      this.closeStream();
      this.send();
      this.handlers.state("open");
      this.handlers.opened();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => this.hear(event.data);
    socket.onclose = () => {
      clearTimeout(limit);
      this.socket = null;
      if (!this.stream) this.handlers.state("waiting");
      if (!opened) this.openStream();
      this.tryLater();
    };
  }

  private tryLater(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.connect(), backOff(this.attempt++, Math.random(), this.streaming()));
  }

  private openStream(): void {
    if (this.stream) return;
    const stream = new EventSource("/events");
    let opened = false;
    this.stream = stream;
    stream.onopen = () => {
      opened = true;
      this.attempt = 0;
      if (!this.socket) this.tryLater();
      this.handlers.state("stream");
      this.handlers.opened();
    };
    stream.onmessage = (event: MessageEvent<unknown>) => this.hear(event.data);
    // The browser would reconnect by itself; the WebSocket's turn comes first instead.
    stream.onerror = () => {
      this.closeStream();
      this.handlers.state(this.socket ? "connecting" : "waiting");
      if (opened && !this.socket) this.tryLater();
    };
  }

  private closeStream(): void {
    this.stream?.close();
    this.stream = null;
  }

  private hear(data: unknown): void {
    if (typeof data !== "string") return;
    let message: Message;
    try {
      message = JSON.parse(data) as Message;
    } catch {
      return;
    }
    this.handlers.message(message);
  }
}
