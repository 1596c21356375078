/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Model and data set of a session. Each stands alone, so that one written from right to left does not turn the other around. */
import type { Session } from "../api/types";

export function About(props: { session: Session; small?: boolean }) {
  const { model_type: model, dataset_name: data } = props.session;
  if (!model && !data) return null;
  return (
    <div class={props.small ? "dim small" : "dim"}>
      {model ? <bdi>{model}</bdi> : null}
      {model && data ? " · " : null}
      {data ? <bdi>{data}</bdi> : null}
    </div>
  );
}
