/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The page's addresses. */

export type Route =
  | { view: "sessions" }
  | { view: "monitor" }
  | { view: "models" }
  | { view: "session"; id: string }
  | { view: "unknown"; path: string };

export function parseRoute(path: string): Route {
  const clean = path.length > 1 ? path.replace(/\/+$/, "") : path;
  if (clean === "" || clean === "/" || clean === "/training") return { view: "sessions" };
  if (clean === "/training-monitor") return { view: "monitor" };
  if (clean === "/models") return { view: "models" };
  const session = /^\/session\/([^/]+)$/.exec(clean)?.[1];
  if (session) {
    try {
      return { view: "session", id: decodeURIComponent(session) };
    } catch {
      return { view: "unknown", path };
    }
  }
  return { view: "unknown", path };
}

export const sessionPath = (id: string): string => `/session/${encodeURIComponent(id)}`;
