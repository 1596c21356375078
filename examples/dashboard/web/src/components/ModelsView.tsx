/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Models that sessions left behind, the best first. */
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../api/types";
import { number } from "../pure/format";
import { sessionPath } from "../pure/route";
import { nameOf } from "../pure/session";
import { open } from "../state/current";
import { loaded, loadOf, ordered } from "../state/sessions";

/** Highest mAP first; among sessions without one the lowest loss. */
function better(a: Session, b: Session): number {
  const map = (b.final_map50_95 ?? -1) - (a.final_map50_95 ?? -1);
  return map !== 0 ? map : (a.final_loss ?? Infinity) - (b.final_loss ?? Infinity) || 0;
}

const step = 100;

export function ModelsView() {
  const [limit, setLimit] = useState(step);
  useEffect(() => {
    open(null);
    void loadOf("completed");
  }, []);
  const models = ordered.value.filter((session) => session.status === "completed").sort(better);
  if (!loaded.value) return <p class="dim">Reading the sessions…</p>;
  return (
    <section>
      <h1>Models</h1>
      {models.length === 0 ? <p class="notice">No session is completed yet.</p> : null}
      {models.length > 0 ? (
        <table class="sessions cards">
          <thead>
            <tr>
              {["Session", "Model", "Data set", "mAP50-95", "mAP50", "Loss", "Best epoch", "File"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {models.slice(0, limit).map((model) => (
              <tr key={model.id}>
                <th scope="row">
                  <a href={sessionPath(model.id)}>
                    <bdi>{nameOf(model)}</bdi>
                  </a>
                </th>
                <td data-label="Model"><bdi>{model.model_type ?? "–"}</bdi></td>
                <td data-label="Data set"><bdi>{model.dataset_name ?? "–"}</bdi></td>
                <td data-label="mAP50-95">{number(model.final_map50_95)}</td>
                <td data-label="mAP50">{number(model.final_map50)}</td>
                <td data-label="Loss">{number(model.final_loss)}</td>
                <td data-label="Best epoch">{number(model.best_epoch)}</td>
                <td data-label="File">{model.model_path ? <code>{model.model_path}</code> : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {models.length > limit ? (
        <button type="button" class="more" onClick={() => setLimit(limit + step)}>
          Show more ({models.length - limit})
        </button>
      ) : null}
    </section>
  );
}
