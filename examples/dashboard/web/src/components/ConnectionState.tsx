/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Whether live messages come. */
import { connection } from "../state/live";

const words = { open: "live", connecting: "connecting", waiting: "reconnecting" } as const;

export function ConnectionState() {
  const state = connection.value;
  return (
    <span class="connection" data-state={state} role="status">
      <span class="dot" aria-hidden="true" />
      {words[state]}
    </span>
  );
}
