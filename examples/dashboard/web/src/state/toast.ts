/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Short messages at the edge of the page. */
import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  kind: "error" | "info";
  text: string;
}

export const toasts = signal<Toast[]>([]);
let next = 1;

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function say(kind: Toast["kind"], text: string): void {
  // The same words twice say nothing new.
  if (toasts.value.some((toast) => toast.text === text)) return;
  const id = next++;
  toasts.value = [...toasts.value.slice(-3), { id, kind, text }];
  setTimeout(() => dismiss(id), kind === "error" ? 10_000 : 4_000);
}
