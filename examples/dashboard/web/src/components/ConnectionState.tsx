/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Whether live messages come. */
import { connection } from "../state/live";

const words = { open: "live", stream: "live, by events", connecting: "connecting", waiting: "reconnecting" } as const;
const streamTitle = "The WebSocket can’t be opened from here; updates come as server-sent events, with nothing missing";

export function ConnectionState() {
  const state = connection.value;
  return (
    <span class="connection" data-state={state} role="status" title={state === "stream" ? streamTitle : undefined}>
      <span class="dot" aria-hidden="true" />
      {words[state]}
    </span>
  );
}
