/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a person should know about a session before trusting its charts. */
import type { Session } from "../api/types";
import { count } from "../pure/format";
import { isActive } from "../pure/session";
import { openError } from "../state/current";

export function Notices(props: { session: Session }) {
  const { session } = props;
  const notices: [string, string][] = [];
  if (openError.value) notices.push(["bad", `The server could not be read: ${openError.value}.`]);
  if (session.error_message) notices.push(["bad", session.error_message]);
  if (session.unreachable && isActive(session)) {
    notices.push(["warn", "The training program can’t be reached from this server. New points and commands arrive later, by way of the store."]);
  }
  if (session.dropped) notices.push(["warn", `${count(session.dropped)} points were dropped because the store could not keep up; the charts lack them.`]);
  if (session.status === "interrupted") notices.push(["warn", "The training program ended without a word. All that it recorded until then is here."]);
  if ((session.attempts ?? 1) > 1) notices.push(["info", `This is attempt ${session.attempts} of the session; the charts show the latest values.`]);
  return (
    <>
      {notices.map(([kind, text]) => (
        <p key={text} class={`notice ${kind}`} role={kind === "info" ? undefined : "status"}>
          {text}
        </p>
      ))}
    </>
  );
}
