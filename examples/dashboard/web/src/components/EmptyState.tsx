/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What to do when nothing was recorded yet. */
import { useEffect, useState } from "preact/hooks";
import { getStatus } from "../api/client";

const inC = (store: string): string => `tmon_store *store = NULL;
tmon_session *session = NULL;
tmon_session_options options = {.size = sizeof(options), .name = "my training"};
tmon_store_open(&store, ${JSON.stringify(store)}, NULL);
tmon_session_start(&session, store, &options);`;

const overHttp = `curl -X POST ${location.origin}/api/training/sessions \\
  -H 'Content-Type: application/json' \\
  -d '{"session_name": "my training", "epochs": 10}'`;

export function EmptyState() {
  const [store, setStore] = useState("runs");
  useEffect(() => {
    getStatus().then(
      (status) => typeof status.store === "string" && setStore(status.store),
      () => undefined,
    );
  }, []);
  return (
    <section class="notice empty">
      <h1>No training sessions yet</h1>
      <p>A session appears here by itself as soon as a program records one in this store. Start the example that trains on handwritten digits:</p>
      <pre>trainmon-digits --store {/\s/.test(store) ? `'${store}'` : store}</pre>
      <p>Record from your own C program:</p>
      <pre>{inC(store)}</pre>
      <p>Or write over HTTP, from anything:</p>
      <pre>{overHttp}</pre>
    </section>
  );
}
