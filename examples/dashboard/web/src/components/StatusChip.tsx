/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The status of a session in one word and one colour. */
import type { Session } from "../api/types";
import { statusWord } from "../pure/session";

export function StatusChip(props: { session: Session }) {
  const word = statusWord(props.session);
  return (
    <span class="chip" data-status={word} data-testid="status">
      {word}
    </span>
  );
}
