/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Asks before a training is stopped: it can't be taken back. */
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../api/types";
import { nameOf } from "../pure/session";

export function StopDialog(props: { session: Session; close: () => void; confirm: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="stop-title" onClose={props.close}>
      <h2 id="stop-title">Stop “<bdi>{nameOf(props.session)}</bdi>”?</h2>
      <p>The program ends after its current batch. What was recorded stays.</p>
      <div class="controls">
        <button type="button" autofocus onClick={() => dialog.current?.close()}>
          Keep training
        </button>
        <button
          type="button"
          class="danger"
          data-testid="confirm-stop"
          onClick={() => {
            props.confirm();
            dialog.current?.close();
          }}
        >
          Stop training
        </button>
      </div>
    </dialog>
  );
}
