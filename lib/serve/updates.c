/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Turns what live sessions do into messages, each built once for all clients.
 * Points are taken every poll (20 ms). A round writes the messages: at once when nothing was sent for an interval, else when the interval
 * (1 / updates_per_second) has passed, so that a first point travels at once and a stream is coalesced. */
#include "serve/followed.h"
#include "serve/pictures.h"
#include "serve/server_private.h"
#include "serve/session_json.h"
#include "serve/table_changes.h"

#include "trainmon/alert.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"

#include <math.h>
#include <string.h>

enum { LOOK_US = 100000, REFRESH_US = 250000, SESSIONS = 1000, FRESH = 50, ALERTS = 1000, MESSAGE_BYTES = 1 << 20 };

struct tmon_updates {
  tmon_server *server;
  tmon_update_log log;
  tmon_pictures_shown pictures;
  tmon_followed *followed;
  size_t count;
  size_t capacity;
  bool listening;  /* the first round after a pause only learns what is there */
  int64_t change;  /* tmon_store_change_cursor of the last round */
  char newest[37]; /* the newest session that is known, and when it was made */
  int64_t newest_us;
  int64_t alerted; /* revision of the last alert that was told */
  tmon_table_changes tables;
  bool more; /* of them */
  int64_t looked_us;
  int64_t round_us;
};

int tmon_updates_make(tmon_updates **out, tmon_server *server) {
  *out = tmon_alloc_zero(1, sizeof **out);
  if (*out == NULL) {
    return tmon_error_no_memory();
  }
  (*out)->server = server;
  return TMON_OK;
}

void tmon_updates_forget(tmon_updates *updates) {
  for (size_t i = 0; i < updates->count; i++) {
    tmon_followed_close(&updates->followed[i]);
  }
  updates->count = 0;
  updates->listening = false;
  updates->newest[0] = '\0';
  updates->newest_us = 0;
  updates->tables.followed = false;
  tmon_update_log_clear(&updates->log);
  tmon_pictures_clear(&updates->pictures);
}

void tmon_updates_free(tmon_updates *updates) {
  if (updates != NULL) {
    tmon_updates_forget(updates);
    tmon_free(updates->followed);
    tmon_free(updates);
  }
}

const tmon_update_log *tmon_updates_log(const tmon_updates *updates) { return &updates->log; }

const tmon_pictures_shown *tmon_updates_pictures(const tmon_updates *updates) { return &updates->pictures; }

void tmon_updates_follow_tables(tmon_updates *updates) { tmon_table_changes_begin(&updates->tables, updates->server); }

static void publish(tmon_updates *updates, const char *id, bool data, tmon_buffer *buffer) {
  size_t size = buffer->size;
  char *text = buffer->error == TMON_OK ? tmon_buffer_take(buffer) : NULL;
  if (text != NULL) {
    tmon_update_log_add(&updates->log, id, data, text, size);
  }
  tmon_buffer_free(buffer);
}

static void publish_resync(tmon_updates *updates, const char *id) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, 256);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "resync");
  tmon_json_put_text(&json, "session_id", id);
  tmon_json_close(&json, '}');
  publish(updates, id, false, &buffer);
}

static void publish_state(tmon_updates *updates, const char *type, const tmon_record *record, bool data) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, MESSAGE_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", type);
  tmon_json_put_text(&json, "session_id", record->id);
  tmon_session_json(&json, "session", record, false, tmon_clock_now_us());
  tmon_json_close(&json, '}');
  publish(updates, record->id, data, &buffer);
}

static void publish_points(tmon_updates *updates, tmon_followed *followed, const tmon_record *record) {
  tmon_buffer buffer;
  tmon_json_writer json;
  char *conditions = NULL;
  int64_t now = tmon_clock_now_us();
  tmon_buffer_init(&buffer, MESSAGE_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "metrics_update");
  tmon_followed_put_points(followed, &json);
  (void)tmon_alert_conditions_json(&conditions, updates->server->store, followed->id);
  tmon_metrics_json(&json, record, &followed->latest, conditions, now);
  tmon_text_free(conditions);
  tmon_session_json(&json, "session", record, false, now);
  tmon_json_close(&json, '}');
  /* An update that does not fit (thousands of metrics) is read by REST. */
  if (buffer.error != TMON_OK) {
    tmon_buffer_free(&buffer);
    publish_resync(updates, followed->id);
    return;
  }
  publish(updates, followed->id, true, &buffer);
}

static tmon_followed *find(tmon_updates *updates, const char *id) {
  for (size_t i = 0; i < updates->count; i++) {
    if (strcmp(updates->followed[i].id, id) == 0) {
      return &updates->followed[i];
    }
  }
  return NULL;
}

static tmon_followed *adopt(tmon_updates *updates, const tmon_record *record) {
  if (updates->count == updates->capacity) {
    size_t capacity = updates->capacity + 16;
    tmon_followed *grown = tmon_realloc(updates->followed, capacity, sizeof *grown);
    if (grown == NULL) {
      return NULL;
    }
    updates->followed = grown;
    updates->capacity = capacity;
  }
  tmon_followed *followed = &updates->followed[updates->count];
  if (tmon_followed_open(followed, updates->server->store, record) != TMON_OK) {
    tmon_followed_close(followed);
    return NULL;
  }
  updates->count++;
  tmon_pictures_adopt(&updates->pictures, updates->server->store, record->id);
  (void)tmon_followed_moved(followed, record);
  (void)tmon_latest_take_results(&followed->latest, updates->server->store, followed->id, &followed->results, updates->change);
  return followed;
}

static void announce(tmon_updates *updates, tmon_followed *followed, const tmon_record *record) {
  followed->announced = true;
  if (updates->listening) {
    publish_state(updates, "training_started", record, false);
    /* What it logged before it was noticed did not come through the follow. */
    publish_resync(updates, record->id);
  }
}

/* The points, results and epochs that came since the last time; false: none did. `change`: a cursor that is not newer than the store. */
static bool say_news(tmon_updates *updates, tmon_followed *followed, const tmon_record *record, int64_t change) {
  if (followed->lapped) {
    followed->lapped = false;
    publish_resync(updates, followed->id);
  }
  bool results = tmon_latest_take_results(&followed->latest, updates->server->store, followed->id, &followed->results, change);
  if (!followed->dirty && !followed->posted && !results) {
    return false;
  }
  followed->posted = false;
  publish_points(updates, followed, record);
  return true;
}

static void say(tmon_updates *updates, tmon_followed *followed, const tmon_record *record) {
  bool moved = tmon_followed_moved(followed, record);
  if (!say_news(updates, followed, record, updates->change) && moved) {
    publish_state(updates, "training_progress", record, true);
  }
}

/* A session that is not active any more: its last points and epoch, then how it ended. */
static void end(tmon_updates *updates, tmon_followed *followed) {
  int64_t change = updates->change;
  tmon_record_filter filter = {.size = sizeof filter, .id = followed->id, .limit = 1};
  tmon_record_list *list = NULL;
  tmon_record record;
  (void)tmon_followed_drain(followed);
  /* What it wrote right before its end may be newer than the cursor of this round. */
  (void)tmon_store_change_cursor(&change, updates->server->store);
  if (tmon_record_list_open(&list, updates->server->store, &filter) == TMON_OK && tmon_record_list_next(list, &record) == TMON_OK) {
    if (!followed->announced && record.status != TMON_STATUS_PENDING) {
      announce(updates, followed, &record);
    }
    if (followed->announced) {
      (void)say_news(updates, followed, &record, change);
    }
    bool good = record.status == TMON_STATUS_COMPLETED || record.status == TMON_STATUS_CANCELLED;
    bool over = good || record.status == TMON_STATUS_FAILED || record.status == TMON_STATUS_INTERRUPTED;
    if (followed->announced) {
      publish_state(updates, good ? "training_completed" : over ? "training_failed" : "training_progress", &record, false);
    }
  }
  tmon_record_list_free(list);
  tmon_followed_close(followed);
  *followed = updates->followed[--updates->count];
}

static void meet(tmon_updates *updates, const tmon_record *record) {
  tmon_followed *followed = find(updates, record->id);
  if (followed == NULL) {
    followed = adopt(updates, record);
  }
  if (followed == NULL) {
    return;
  }
  followed->present = true;
  if (followed->announced) {
    say(updates, followed, record);
  } else if (record->status != TMON_STATUS_PENDING) { /* else not started yet */
    announce(updates, followed, record);
    if (followed->posted) {
      say(updates, followed, record);
    }
  }
}

void tmon_updates_posted(tmon_updates *updates, const tmon_record *record) {
  tmon_followed *followed = find(updates, record->id);
  /* Whom the next round would find at work is followed from here on, so that an end before that round does not lose the epoch. */
  if (followed == NULL && record->status == TMON_STATUS_RUNNING && updates->server->client_count > 0 && updates->count < SESSIONS) {
    followed = adopt(updates, record);
  }
  if (followed != NULL) {
    followed->posted = true;
  }
}

/* Sessions made since the last round, oldest first. They may have ended already, and then the list of active ones never shows them. It is read before
 * that list, so that one which ends in between is missing there and gets its end said. */
static int meet_fresh(tmon_updates *updates, int64_t limit) {
  tmon_record_filter filter = {.size = sizeof filter, .limit = limit};
  tmon_record_list *list = NULL;
  tmon_record records[FRESH];
  size_t count = 0;
  int code = tmon_record_list_open(&list, updates->server->store, &filter);
  /* By age too, since the one that is known may have been deleted. */
  while (code == TMON_OK && count < (size_t)limit && (code = tmon_record_list_next(list, &records[count])) == TMON_OK &&
      strcmp(records[count].id, updates->newest) != 0 && records[count].created_at >= updates->newest_us) {
    count++;
  }
  if (updates->listening && count == (size_t)limit && limit < FRESH) {
    tmon_record_list_free(list);
    return meet_fresh(updates, FRESH);
  }
  for (size_t i = count; updates->listening && i > 0; i--) {
    meet(updates, &records[i - 1]);
  }
  if (count > 0) {
    (void)tmon_text_copy(updates->newest, sizeof updates->newest, records[0].id);
    updates->newest_us = records[0].created_at;
  }
  tmon_record_list_free(list);
  return code == TMON_DONE ? TMON_OK : code;
}

static void publish_alert(tmon_updates *updates, const tmon_json *alert, const char *state) {
  static const char *const texts[] = {"rule", "type", "severity", "metric", "message"};
  static const char *const numbers[] = {"step", "value", "threshold"};
  const char *session_id = tmon_json_text(tmon_json_get(alert, "session_id"));
  bool fired = strcmp(state, "fired") == 0;
  int64_t id = 0;
  tmon_buffer buffer;
  tmon_json_writer json;
  (void)tmon_json_int(tmon_json_get(alert, "id"), &id);
  tmon_buffer_init(&buffer, MESSAGE_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "alert");
  tmon_json_put_text(&json, "session_id", session_id);
  tmon_json_open(&json, "alert", '{');
  tmon_json_put_int(&json, "id", id);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    tmon_json_put_text(&json, texts[i], tmon_json_text(tmon_json_get(alert, texts[i])));
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const char *name = i == 0 && !fired ? "recovered_step" : numbers[i];
    tmon_json_put_double(&json, numbers[i], tmon_json_number(tmon_json_get(alert, name), (double)NAN));
  }
  tmon_json_put_text(&json, "state", state);
  tmon_json_put_text(&json, "time", tmon_json_text(tmon_json_get(alert, fired ? "time" : "recovered_at")));
  tmon_json_close(&json, '}');
  tmon_json_close(&json, '}');
  publish(updates, session_id, false, &buffer);
}

/* What fired or recovered since the last round, in that order; an alert that did both is told twice. */
static void tell_alerts(tmon_updates *updates) {
  tmon_alert_filter filter = {.size = sizeof filter, .changed_since = updates->alerted, .limit = ALERTS};
  tmon_json *list = NULL;
  char *text = NULL;
  if (!updates->listening) {
    (void)tmon_store_change_cursor(&updates->alerted, updates->server->store);
    return;
  }
  if (tmon_alert_list_json(&text, updates->server->store, &filter) == TMON_OK && tmon_json_parse(&list, text, strlen(text)) == TMON_OK) {
    for (const tmon_json *alert = tmon_json_first(list); alert != NULL; alert = tmon_json_next(alert)) {
      int64_t fired = 0;
      (void)tmon_json_int(tmon_json_get(alert, "fired_revision"), &fired);
      (void)tmon_json_int(tmon_json_get(alert, "revision"), &updates->alerted);
      if (fired > filter.changed_since) publish_alert(updates, alert, "fired");
      /* A note is over as it comes: told once. */
      if (tmon_json_text(tmon_json_get(alert, "recovered_at")) != NULL && updates->alerted > fired) publish_alert(updates, alert, "recovered");
    }
  }
  tmon_json_free(list);
  tmon_text_free(text);
}

static void run_round(tmon_updates *updates) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .limit = SESSIONS};
  tmon_record_list *list = NULL;
  tmon_record record;
  /* Read before what it covers: an update that an epoch asks for must not pass over that epoch's values. */
  (void)tmon_store_change_cursor(&updates->change, updates->server->store);
  int code = meet_fresh(updates, 1);
  updates->more = tmon_table_changes_tell(&updates->tables, updates->server, &updates->log);
  if (code != TMON_OK || tmon_record_list_open(&list, updates->server->store, &filter) != TMON_OK) {
    tmon_record_list_free(list);
    return; /* a busy store: the next round tries again, points stay pending */
  }
  for (size_t i = 0; i < updates->count; i++) {
    updates->followed[i].present = false;
  }
  while ((code = tmon_record_list_next(list, &record)) == TMON_OK) {
    meet(updates, &record);
  }
  tmon_record_list_free(list);
  for (size_t i = updates->count; code == TMON_DONE && i > 0; i--) {
    if (!updates->followed[i - 1].present) {
      end(updates, &updates->followed[i - 1]);
    }
  }
  tell_alerts(updates);
  updates->listening = true;
}

void tmon_updates_poll(tmon_updates *updates, int64_t now_us) {
  bool wanted = !updates->listening || updates->more;
  int64_t interval = 1000000 / (int64_t)updates->server->updates_per_second;
  for (size_t i = 0; i < updates->count; i++) {
    (void)tmon_followed_drain(&updates->followed[i]);
    wanted = wanted || updates->followed[i].dirty || updates->followed[i].lapped || updates->followed[i].posted;
  }
  if (now_us - updates->looked_us >= LOOK_US) {
    int64_t change = 0;
    updates->looked_us = now_us;
    if (tmon_pictures_look(&updates->pictures, updates->server->store)) {
      tmon_clients_wake(updates->server);
    }
    if (tmon_store_change_cursor(&change, updates->server->store) == TMON_OK && change != updates->change) {
      updates->change = change;
      wanted = true;
    }
  }
  wanted = wanted || now_us - updates->round_us >= REFRESH_US;
  /* The first round after a pause is not held up: what is made after a client's hello must not be taken for something that was there before. */
  if (wanted && (!updates->listening || now_us - updates->round_us >= interval)) {
    uint64_t before = updates->log.next;
    run_round(updates);
    /* A round that said nothing does not hold up the next point. */
    if (updates->log.next != before) {
      /* From when it was due, not from the poll that saw it: else each round would be late by up to a poll. */
      updates->round_us = now_us - updates->round_us < 2 * interval ? updates->round_us + interval : now_us;
      tmon_clients_wake(updates->server);
    } else if (now_us - updates->round_us >= REFRESH_US) {
      updates->round_us = now_us - interval;
    }
  }
}
