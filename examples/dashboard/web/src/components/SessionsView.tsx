/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All sessions: the running ones first, then the history. */
import { useEffect, useState } from "preact/hooks";
import { isActive, matches } from "../pure/session";
import { open } from "../state/current";
import { listError, loaded, loadSessions, ordered, sessions, total } from "../state/sessions";
import { EmptyState } from "./EmptyState";
import { SessionTable } from "./SessionTable";

export function SessionsView() {
  const [filter, setFilter] = useState("");
  useEffect(() => {
    open(null);
    void loadSessions();
  }, []);
  const all = ordered.value;
  const shown = all.filter((session) => matches(session, filter));
  const running = shown.filter(isActive);
  const history = shown.filter((session) => !isActive(session));
  const error = listError.value;

  if (!loaded.value && error) return <p class="notice bad">{error}</p>;
  if (!loaded.value) return <p class="dim">Reading the sessions…</p>;
  if (all.length === 0) return <EmptyState />;
  return (
    <>
      <div class="row">
        <h1>Training sessions</h1>
        <label class="filter">
          <span class="hidden">Filter</span>
          <input type="search" placeholder="Filter by name, model, data set or status" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        </label>
      </div>
      {error ? <p class="notice bad">{error}</p> : null}
      {running.length > 0 ? <SessionTable title="Running" sessions={running} /> : null}
      {history.length > 0 ? <SessionTable title="History" sessions={history} /> : null}
      {shown.length === 0 ? <p class="dim">No session matches “{filter}”.</p> : null}
      {sessions.value.size < total.value ? (
        <button type="button" onClick={() => void loadSessions(true)}>
          Show more ({total.value - sessions.value.size})
        </button>
      ) : null}
    </>
  );
}
