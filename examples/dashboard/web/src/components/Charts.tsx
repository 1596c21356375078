/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All charts of the open session, with what holds for all of them. */
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../api/types";
import { groupKeys } from "../pure/groups";
import { isActive } from "../pure/session";
import { keys, reading, refresh } from "../state/current";
import { axis, range } from "../state/view";
import { ChartPanel } from "./ChartPanel";
import { ChartToolbar } from "./ChartToolbar";

export function Charts(props: { session: Session }) {
  const first = useRef(true);
  const zoom = range.value;
  const unit = axis.value;
  useEffect(() => {
    // Opening the session reads it already; only a later choice reads again.
    if (first.current) first.current = false;
    else void refresh();
  }, [zoom, unit]);
  const groups = groupKeys(keys.value);
  const nothing = reading.value
    ? "Reading the charts…"
    : isActive(props.session)
      ? "Nothing was logged yet. Charts appear with the first point."
      : "Nothing was logged in this session.";
  return (
    <section aria-label="Charts">
      <ChartToolbar />
      {groups.length === 0 ? <p class="dim">{nothing}</p> : null}
      <div class="charts">
        {groups.map((group) => (
          <ChartPanel key={group.name} group={group} />
        ))}
      </div>
    </section>
  );
}
