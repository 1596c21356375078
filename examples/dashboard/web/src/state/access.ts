/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The token: taken once from the address, exchanged for a cookie, never kept. */
import { signal } from "@preact/signals";
import { ApiError, login } from "../api/client";

export const locked = signal(false);

/** Gives the words of a failure; a 401 also opens the token form. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.status === 401) locked.value = true;
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

export async function unlock(token: string): Promise<void> {
  await login(token);
  locked.value = false;
}

export async function takeTokenFromAddress(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await unlock(token);
  } catch {
    locked.value = true;
  }
}
