/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The shared log. Memory is bounded by the log, never by how slow or how many the clients are. */
#include "serve/update_log.h"

#include "util/alloc.h"
#include "util/text.h"

#include <string.h>

static void drop_first(tmon_update_log *log) {
  tmon_update *update = &log->items[log->first++ % TMON_UPDATE_LOG_ITEMS];
  tmon_free(update->text);
  update->text = NULL;
}

void tmon_update_log_add(tmon_update_log *log, const char *session, bool data, char *text, size_t size) {
  while (log->next > log->first &&
      (log->next - log->first >= TMON_UPDATE_LOG_ITEMS ||
          log->bytes - log->items[log->first % TMON_UPDATE_LOG_ITEMS].offset + size > TMON_UPDATE_LOG_BYTES)) {
    drop_first(log);
  }
  tmon_update *update = &log->items[log->next++ % TMON_UPDATE_LOG_ITEMS];
  update->offset = log->bytes;
  update->data = data;
  update->size = size;
  update->text = text;
  update->addressed = false;
  (void)tmon_text_copy(update->session, sizeof update->session, session);
  log->bytes += size;
}

void tmon_update_log_add_for(tmon_update_log *log, const tmon_update_readers *readers, char *text, size_t size) {
  tmon_update_log_add(log, "", false, text, size);
  tmon_update *update = &log->items[(log->next - 1) % TMON_UPDATE_LOG_ITEMS];
  update->addressed = true;
  update->readers = *readers;
}

void tmon_update_log_clear(tmon_update_log *log) {
  while (log->next > log->first) {
    drop_first(log);
  }
}

tmon_cursor tmon_update_log_end(const tmon_update_log *log) { return (tmon_cursor){log->next, log->next}; }

static bool comes_again(const tmon_update_log *log, uint64_t number, uint64_t end) {
  const char *session = log->items[number % TMON_UPDATE_LOG_ITEMS].session;
  for (uint64_t i = number + 1; i < end; i++) {
    const tmon_update *other = &log->items[i % TMON_UPDATE_LOG_ITEMS];
    if (other->data && strcmp(other->session, session) == 0) {
      return true;
    }
  }
  return false;
}

bool tmon_update_log_lost(const tmon_update_log *log, const tmon_cursor *cursor) { return cursor->next < log->first; }

tmon_step tmon_update_log_step(const tmon_update_log *log, tmon_cursor *cursor, const tmon_update **update) {
  while (cursor->next < log->next) {
    if (tmon_update_log_lost(log, cursor)) {
      return TMON_STEP_LOST;
    }
    uint64_t number = cursor->next;
    *update = &log->items[number % TMON_UPDATE_LOG_ITEMS];
    bool lags = log->next - number > TMON_UPDATE_LAG_ITEMS || log->bytes - (*update)->offset > TMON_UPDATE_LAG_BYTES;
    /* One message that is larger than the lag by itself is no lag. */
    if (lags && log->next - number > 1 && number >= cursor->skip_until) {
      cursor->skip_until = log->next;
    }
    cursor->next++;
    if (!(*update)->data || number >= cursor->skip_until) {
      return TMON_STEP_MESSAGE;
    }
    if (!comes_again(log, number, cursor->skip_until)) {
      return TMON_STEP_RESYNC;
    }
  }
  return TMON_STEP_NOTHING;
}
