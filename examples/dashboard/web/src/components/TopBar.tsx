/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The bar on top: where one can go, the connection, the theme. */
import { route } from "../state/route";
import { ConnectionState } from "./ConnectionState";
import { ThemeToggle } from "./ThemeToggle";

const places = [
  { path: "/training", view: "sessions", name: "Sessions" },
  { path: "/training-monitor", view: "monitor", name: "Monitor" },
  { path: "/models", view: "models", name: "Models" },
] as const;

export function TopBar() {
  return (
    <header class="top">
      <a class="brand" href="/">
        trainmon
      </a>
      <nav aria-label="Views">
        {places.map((place) => (
          <a key={place.path} href={place.path} aria-current={route.value.view === place.view ? "page" : undefined}>
            {place.name}
          </a>
        ))}
      </nav>
      <ConnectionState />
      <ThemeToggle />
    </header>
  );
}
