/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Pause, resume and stop. */
import { useState } from "preact/hooks";
import type { Session } from "../api/types";
import type { Command } from "../api/client";
import { commandsOf, isActive } from "../pure/session";
import { send } from "../state/sessions";
import { StopDialog } from "./StopDialog";

export function Controls(props: { session: Session }) {
  const { session } = props;
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  if (!isActive(session)) return null;
  const can = commandsOf(session);
  const run = (name: Command): void => {
    setBusy(true);
    void send(name, session.id).finally(() => setBusy(false));
  };
  return (
    <div class="controls" role="group" aria-label="Commands">
      <button type="button" disabled={busy || !can.pause} onClick={() => run("pause")}>
        Pause
      </button>
      <button type="button" disabled={busy || !can.resume} onClick={() => run("resume")}>
        Resume
      </button>
      <button type="button" class="danger" disabled={busy || !can.stop} onClick={() => setAsking(true)}>
        Stop
      </button>
      {asking ? <StopDialog session={session} close={() => setAsking(false)} confirm={() => run("stop")} /> : null}
    </div>
  );
}
