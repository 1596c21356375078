/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Dark or light: the system's choice until the person makes one, which is kept. */
import { computed, effect, signal } from "@preact/signals";

export type Theme = "dark" | "light";

const place = "trainmon-theme";
const system = matchMedia("(prefers-color-scheme: light)");

function kept(): Theme | null {
  try {
    const value = localStorage.getItem(place);
    return value === "dark" || value === "light" ? value : null;
  } catch {
    return null;
  }
}

const chosen = signal<Theme | null>(kept());
const systemTheme = signal<Theme>(system.matches ? "light" : "dark");

export const theme = computed<Theme>(() => chosen.value ?? systemTheme.value);

export function toggleTheme(): void {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(place, chosen.value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

export function startTheme(): void {
  system.addEventListener("change", () => {
    systemTheme.value = system.matches ? "light" : "dark";
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
}
