/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The REST calls of the page; each gives the reply or throws an ApiError with the server's words. */
import type { Axis, Control, SeriesReply, Session, SessionDetail, Status } from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null,
  ) {
    super(message);
  }
}

interface ErrorBody {
  error?: { code?: string; message?: string; field?: string | null };
}

const RETRY_SECONDS_MAX = 30;

/** Waits, or throws what ended the wait. */
function sleep(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(new DOMException("The call was given up", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Refused for being too frequent, nothing was done: the call is made once more when the server says it may be. */
async function fetchPatiently(path: string, init: RequestInit): Promise<Response> {
  const reply = await fetch(path, init);
  const seconds = Number(reply.headers.get("Retry-After") ?? "x");
  if (reply.status !== 429 || !(seconds >= 0 && seconds <= RETRY_SECONDS_MAX)) return reply;
  await reply.body?.cancel();
  await sleep(seconds, init.signal);
  return fetch(path, init);
}

async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
  let reply: Response;
  try {
    reply = await fetchPatiently(path, { credentials: "same-origin", cache: "no-store", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The server does not answer", null);
  }
  const body: unknown = await reply.json().catch(() => null);
  if (!reply.ok || body === null) {
    const error = (body as ErrorBody | null)?.error;
    const message = error?.message ?? `The server answered ${reply.status} ${reply.statusText}`;
    throw new ApiError(reply.status, error?.code ?? "http", message, error?.field ?? null);
  }
  return body as T;
}

function post<T>(path: string, body: unknown): Promise<T> {
  return request<T>(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export interface SessionsReply {
  sessions: Session[];
  count: number;
  total: number;
}

export const getSessions = (limit: number, offset: number, status?: Status): Promise<SessionsReply> =>
  request(`/api/training/sessions?limit=${limit}&offset=${offset}${status ? `&status=${status}` : ""}`);

export const getActive = (): Promise<{ sessions: Session[]; count: number }> => request("/api/training/active?limit=1000");

export const getSession = (id: string): Promise<SessionDetail> => request(`/api/training/sessions/${encodeURIComponent(id)}`);

export const getStatus = (): Promise<{ store: string | null }> => request("/api/status");

export interface SeriesQuery {
  session: string;
  keys: readonly string[];
  axis: Axis;
  from: number | null;
  to: number | null;
  width: number;
}

export function getSeries(query: SeriesQuery, signal?: AbortSignal): Promise<SeriesReply> {
  const search = new URLSearchParams({ session_id: query.session, axis: query.axis, width: String(query.width) });
  for (const key of query.keys) search.append("key", key);
  if (query.from !== null) search.set("from", String(query.from));
  if (query.to !== null) search.set("to", String(query.to));
  return request(`/api/series?${search}`, signal ? { signal } : {});
}

export type Command = "pause" | "resume" | "stop";

export const command = (name: Command, id: string): Promise<{ session_id: string; control: Control }> =>
  post(`/api/training/${name}`, { session_id: id });

export const login = (token: string): Promise<unknown> => post("/api/login", { token });
