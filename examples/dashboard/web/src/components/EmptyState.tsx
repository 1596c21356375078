/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What to do when nothing was recorded yet. */
const inC = `tmon_store *store = NULL;
tmon_session *session = NULL;
tmon_session_options options = {.size = sizeof(options), .name = "my training"};
tmon_store_open(&store, "runs", NULL);
tmon_session_start(&session, store, &options);`;

const overHttp = `curl -X POST ${location.origin}/api/training/sessions \\
  -H 'Content-Type: application/json' \\
  -d '{"session_name": "my training", "epochs": 10}'`;

export function EmptyState() {
  return (
    <section class="notice empty">
      <h1>No training sessions yet</h1>
      <p>A session appears here by itself as soon as a program records one in this store. Start the example that trains on handwritten digits:</p>
      <pre>trainmon-digits --store runs</pre>
      <p>Record from your own C program:</p>
      <pre>{inC}</pre>
      <p>Or write over HTTP, from anything:</p>
      <pre>{overHttp}</pre>
    </section>
  );
}
