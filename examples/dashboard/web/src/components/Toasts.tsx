/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The messages at the edge of the page. */
import { dismiss, toasts } from "../state/toast";

export function Toasts() {
  return (
    <div class="toasts" role="alert" aria-live="assertive">
      {toasts.value.map((toast) => (
        <div key={toast.id} class="toast" data-kind={toast.kind}>
          <span>{toast.text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
