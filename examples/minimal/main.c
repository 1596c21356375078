/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The smallest trainer: one session, one metric, a hundred points. */
#include <stdio.h>
#include <trainmon/trainmon.h>

int main(int argc, char **argv) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_metric loss = 0;
  int rc = tmon_store_open(&store, argc > 1 ? argv[1] : "runs", NULL);
  if (rc == TMON_OK) rc = tmon_session_start(&session, store, NULL);
  if (rc == TMON_OK) rc = tmon_session_metric(&loss, session, "train/loss", NULL);
  for (int64_t step = 0; rc == TMON_OK && step < 100; step++) {
    rc = tmon_log(session, loss, step, 1.0 / (double)(step + 1));
  }
  if (rc == TMON_OK) rc = tmon_session_finish(session, TMON_STATUS_COMPLETED);
  if (rc != TMON_OK) (void)fprintf(stderr, "minimal: %s\n", tmon_error_message());
  tmon_session_free(session);
  tmon_store_free(store);
  return rc == TMON_OK ? 0 : 1;
}
