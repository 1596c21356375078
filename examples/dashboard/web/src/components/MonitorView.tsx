/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The session that runs now, whichever it is. */
import { useEffect } from "preact/hooks";
import { isActive } from "../pure/session";
import { open } from "../state/current";
import { loaded, loadSessions, ordered } from "../state/sessions";
import { SessionView } from "./SessionView";

export function MonitorView() {
  useEffect(() => {
    open(null);
    void loadSessions();
  }, []);
  const running = ordered.value.filter(isActive);
  const newest = running[0] ?? null;
  if (newest) return <SessionView key={newest.id} id={newest.id} />;
  return (
    <section class="notice">
      <h1>Nothing runs</h1>
      <p>
        {loaded.value ? "The next training opens here by itself." : "Reading the sessions…"} <a href="/training">All sessions</a>
      </p>
    </section>
  );
}
