/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The open address; links inside the page do not reload it. */
import { signal } from "@preact/signals";
import { parseRoute, type Route } from "../pure/route";

export const route = signal<Route>(parseRoute(location.pathname));

export function navigate(path: string): void {
  if (path !== location.pathname) history.pushState(null, "", path);
  route.value = parseRoute(path);
  scrollTo(0, 0);
  // The link that was followed may be gone; the keyboard goes on at the new view.
  document.getElementById("main")?.focus({ preventScroll: true });
}

export function startRouting(): void {
  addEventListener("popstate", () => {
    route.value = parseRoute(location.pathname);
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.origin !== location.origin || link.target || link.hash || link.hasAttribute("download")) return;
    if (parseRoute(link.pathname).view === "unknown") return;
    event.preventDefault();
    navigate(link.pathname);
  });
}
