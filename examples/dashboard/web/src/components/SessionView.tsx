/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One session: what it is, how far it is, its commands, its charts and its epochs. */
import { useEffect } from "preact/hooks";
import { nameOf, statusWord } from "../pure/session";
import { open, openError } from "../state/current";
import { sessions } from "../state/sessions";
import { Charts } from "./Charts";
import { EpochTable } from "./EpochTable";
import { Facts } from "./Facts";
import { Notices } from "./Notices";
import { SessionHeader } from "./SessionHeader";

export function SessionView(props: { id: string }) {
  useEffect(() => {
    open(props.id);
    return () => open(null);
  }, [props.id]);
  const session = sessions.value.get(props.id);
  const title = session ? `${nameOf(session)} (${statusWord(session)}) · trainmon` : "trainmon";
  useEffect(() => {
    document.title = title;
  }, [title]);

  if (!session) {
    return openError.value ? (
      <section class="notice bad">
        <h1>This session can’t be shown</h1>
        <p>
          {openError.value}. <a href="/training">All sessions</a>
        </p>
      </section>
    ) : (
      <p class="dim">Reading the session…</p>
    );
  }
  return (
    <article data-session={session.id} data-status={session.status} data-paused={String(session.paused)} data-control={session.control}>
      <SessionHeader session={session} />
      <Notices session={session} />
      <Charts session={session} />
      <EpochTable />
      <Facts session={session} />
    </article>
  );
}
