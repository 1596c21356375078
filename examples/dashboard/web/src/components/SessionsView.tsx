/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All sessions: the running ones first, then the history. */
import { useEffect, useState } from "preact/hooks";
import { isActive, matches } from "../pure/session";
import { open } from "../state/current";
import { allRead, listError, loadAll, loaded, loadSessions, ordered, sessions, total } from "../state/sessions";
import { EmptyState } from "./EmptyState";
import { SessionTable } from "./SessionTable";

/** Rows on the page at once; each further hundred is asked for. */
const step = 100;

export function SessionsView() {
  const [filter, setFilter] = useState("");
  const [limit, setLimit] = useState(step);
  useEffect(() => {
    open(null);
    void loadSessions();
  }, []);
  const wanted = filter.trim() !== "";
  const complete = allRead.value;
  useEffect(() => {
    if (wanted && !complete) void loadAll();
  }, [wanted, complete]);
  const all = ordered.value;
  const found = all.filter((session) => matches(session, filter));
  const shown = found.slice(0, limit);
  const left = (wanted ? found.length : Math.max(total.value, sessions.value.size)) - shown.length;
  const more = (): void => {
    setLimit(limit + step);
    if (!complete && found.length < limit + step) void loadSessions(true);
  };
  const running = shown.filter(isActive);
  const history = shown.filter((session) => !isActive(session));
  const error = listError.value;
  const active = found.filter(isActive).length;

  if (!loaded.value && error) return <p class="notice bad">{error}</p>;
  if (!loaded.value) return <p class="dim">Reading the sessions…</p>;
  if (all.length === 0) return <EmptyState />;
  return (
    <>
      <div class="row">
        <h1>Training sessions</h1>
        <label class="filter">
          <span class="hidden">Filter</span>
          <input
            type="search"
            placeholder="Filter by name, model, data set or status"
            value={filter}
            onInput={(event) => {
              setFilter(event.currentTarget.value);
              setLimit(step);
            }}
          />
        </label>
      </div>
      {error ? <p class="notice bad">{error}</p> : null}
      {running.length > 0 ? <SessionTable title="Running" sessions={running} count={active} /> : null}
      {history.length > 0 ? <SessionTable title="History" sessions={history} count={(wanted ? found.length : Math.max(total.value, all.length)) - active} /> : null}
      {shown.length === 0 ? <p class="dim">{complete ? `No session matches “${filter}”.` : "Reading the sessions…"}</p> : null}
      {left > 0 ? (
        <button type="button" class="more" onClick={more}>
          Show more ({left})
        </button>
      ) : null}
    </>
  );
}
