-- SPDX-License-Identifier: MIT
-- SPDX-FileCopyrightText: libtrainmon contributors
-- The schema of version 1.0, before sessions had a summary and alerts could lack a step: what the migration in test_migrate.c begins with.
-- Times as TEXT are UTC ISO 8601; times as INTEGER are microseconds since 1970. `session` is training_sessions.key.
-- No CHECK (json_valid()): SQLite before 3.41 refuses it where trusted_schema is off, so those who write JSON check it.

CREATE TABLE training_sessions (
  id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
    || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  session_name TEXT NOT NULL,
  model_type TEXT,
  dataset_name TEXT,
  dataset_size INTEGER,
  epochs INTEGER,
  batch_size INTEGER,
  learning_rate REAL,
  img_size INTEGER,
  config TEXT NOT NULL DEFAULT '{}',
  hardware_info TEXT NOT NULL DEFAULT '{}',
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'interrupted')),
  started_at TEXT,
  completed_at TEXT,
  duration_seconds REAL,
  best_epoch INTEGER,
  best_metric TEXT CHECK (length(best_metric) > 4 AND substr(best_metric, -4) IN (':min', ':max')), -- NULL: see session_best_epochs
  final_map50 REAL,
  final_map50_95 REAL,
  final_precision REAL,
  final_recall REAL,
  final_loss REAL,
  model_path TEXT,
  error_message TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  key INTEGER UNIQUE,                              -- short number for the packed tables; a trigger gives it when it is not said
  paused INTEGER NOT NULL DEFAULT 0,
  control INTEGER NOT NULL DEFAULT 0 CHECK (control BETWEEN 0 AND 2),   -- 0 run, 1 pause, 2 stop
  control_at INTEGER,
  rest INTEGER NOT NULL DEFAULT 0,                 -- 1: fed over REST, no ring
  lease_at INTEGER,                                -- last sign of life
  progress_epoch INTEGER NOT NULL DEFAULT 0,
  progress_epochs INTEGER NOT NULL DEFAULT 0,
  progress_batch INTEGER NOT NULL DEFAULT 0,
  progress_batches INTEGER NOT NULL DEFAULT 0,
  progress_images INTEGER NOT NULL DEFAULT 0,
  progress_fraction REAL NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  notes TEXT,
  tags TEXT,                                       -- JSON array of texts; NULL: none
  parent_id TEXT REFERENCES training_sessions (id) ON DELETE SET NULL CHECK (parent_id <> id)
) STRICT;
-- `key` at the end: pages of equal times stay in one order without sorting.
CREATE INDEX training_sessions_status ON training_sessions (status, created_at, key);
CREATE INDEX training_sessions_created ON training_sessions (created_at, key);
CREATE INDEX training_sessions_model ON training_sessions (model_type, created_at, key) WHERE model_type IS NOT NULL;
CREATE INDEX training_sessions_dataset ON training_sessions (dataset_name, created_at, key) WHERE dataset_name IS NOT NULL;
CREATE INDEX training_sessions_parent ON training_sessions (parent_id, created_at, key) WHERE parent_id IS NOT NULL;
CREATE INDEX training_sessions_leaders ON training_sessions (final_map50_95) WHERE status = 'completed' AND final_map50_95 IS NOT NULL;
-- Whom a ranking is about, without reading the wide rows.
CREATE INDEX training_sessions_ranked ON training_sessions (status, key, completed_at, model_type, dataset_name, final_map50, final_map50_95, final_precision,
  final_recall, final_loss);

CREATE TABLE training_metrics (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES training_sessions (id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  box_loss REAL,
  cls_loss REAL,
  dfl_loss REAL,
  total_loss REAL,
  precision REAL,
  recall REAL,
  map50 REAL,
  map50_95 REAL,
  learning_rate REAL,
  epoch_time_seconds REAL,
  gpu_memory_mb REAL,
  val_loss REAL,
  train_accuracy REAL,
  val_accuracy REAL,
  extra TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (session_id, epoch)
) STRICT;
-- What ranking needs of the epoch rows, a row a session and name: a column of training_metrics, or a name in `extra`. The library keeps it with each epoch;
-- rows that are changed from a shell are not seen (tmon_leaderboard_rebuild). By name first: a ranking reads one stretch.
CREATE TABLE metric_bests (
  name TEXT NOT NULL,
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  count INTEGER NOT NULL,                           -- finite values
  lowest REAL,
  lowest_epoch INTEGER,
  highest REAL,
  highest_epoch INTEGER,
  latest REAL,                                      -- NULL: was not finite
  latest_epoch INTEGER NOT NULL,
  smoothed REAL,                                    -- exponential mean in order of epoch, weight 0.6, debiased
  PRIMARY KEY (name, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX metric_bests_session ON metric_bests (session);

-- The best epoch is looked up at every epoch row: without these a session of n epochs would cost n * n.
CREATE INDEX training_metrics_map ON training_metrics (session_id, map50_95 DESC, epoch) WHERE map50_95 IS NOT NULL;
CREATE INDEX training_metrics_val ON training_metrics (session_id, val_loss, epoch) WHERE val_loss IS NOT NULL;
CREATE INDEX training_metrics_loss ON training_metrics (session_id, total_loss, epoch) WHERE total_loss IS NOT NULL;

CREATE TABLE validation_results (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES training_sessions (id) ON DELETE CASCADE,
  epoch INTEGER,
  dataset_split TEXT NOT NULL DEFAULT 'val',
  class_name TEXT,                                 -- NULL: all classes
  class_group TEXT,
  images INTEGER,
  instances INTEGER,
  support INTEGER,
  accuracy REAL,
  precision REAL,
  recall REAL,
  f1_score REAL,
  sensitivity REAL,
  specificity REAL,
  auc_roc REAL,
  map50 REAL,
  map50_95 REAL,
  extra TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX validation_results_session ON validation_results (session_id, epoch);
-- One row a class: a second call overwrites what it names.
CREATE UNIQUE INDEX validation_results_row ON validation_results (session_id, coalesce(epoch, -1), dataset_split, coalesce(class_name, ''));

CREATE TABLE model_benchmarks (
  id INTEGER PRIMARY KEY,
  session_id TEXT REFERENCES training_sessions (id) ON DELETE CASCADE,
  model_name TEXT,
  model_path TEXT,
  device TEXT,
  batch_size INTEGER,
  img_size INTEGER,
  runs INTEGER,
  avg_inference_ms REAL,
  min_inference_ms REAL,
  max_inference_ms REAL,
  p50_inference_ms REAL,
  p95_inference_ms REAL,
  p99_inference_ms REAL,
  throughput_fps REAL,
  memory_mb REAL,
  extra TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX model_benchmarks_session ON model_benchmarks (session_id, created_at);

CREATE TABLE training_datasets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL DEFAULT '',
  description TEXT,
  path TEXT,
  format TEXT,
  total_images INTEGER,
  train_images INTEGER,
  val_images INTEGER,
  test_images INTEGER,
  num_classes INTEGER,
  class_names TEXT NOT NULL DEFAULT '[]',
  statistics TEXT NOT NULL DEFAULT '{}',
  extra TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (name, version)
) STRICT;

CREATE TABLE hyperparameter_runs (
  id INTEGER PRIMARY KEY,
  experiment_name TEXT NOT NULL,
  session_id TEXT REFERENCES training_sessions (id) ON DELETE CASCADE,
  trial INTEGER,
  parameters TEXT NOT NULL DEFAULT '{}',
  search_space TEXT NOT NULL DEFAULT '{}',
  objective TEXT,
  objective_value REAL,
  direction TEXT CHECK (direction IN ('minimize', 'maximize')),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'interrupted')),
  extra TEXT NOT NULL DEFAULT '{}',
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (experiment_name, trial)                  -- a second call about a trial overwrites what it names
) STRICT;
CREATE INDEX hyperparameter_runs_session ON hyperparameter_runs (session_id);

-- ---- points ----

CREATE TABLE metric_keys (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  key TEXT NOT NULL,
  UNIQUE (session, key)
) STRICT;
CREATE INDEX metric_keys_key ON metric_keys (key, session);

CREATE TABLE writers (                              -- one row a ring
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  attempt INTEGER NOT NULL DEFAULT 1,
  rank INTEGER NOT NULL DEFAULT 0,
  ring_id TEXT UNIQUE,
  ring_path TEXT,
  device INTEGER,
  inode INTEGER,
  boot_id TEXT,
  host TEXT,
  pid INTEGER,
  start_ticks INTEGER,
  heartbeat_at INTEGER,
  closed INTEGER NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0,
  next_seq INTEGER NOT NULL DEFAULT 1,
  first_step INTEGER
) STRICT;
CREATE INDEX writers_session ON writers (session, attempt);
CREATE INDEX writers_open ON writers (session) WHERE closed = 0;

CREATE TABLE lane_positions (
  writer INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  lane INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (writer, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE deltas (                               -- one row a commit: all metrics of that tick
  writer INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  level INTEGER NOT NULL DEFAULT 0,
  points INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (writer, seq)
) STRICT;

CREATE TABLE folded (                               -- deltas of `writer` up to `seq` are in chunks for this metric
  metric INTEGER NOT NULL REFERENCES metric_keys (id) ON DELETE CASCADE,
  writer INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  chunks INTEGER NOT NULL DEFAULT 0,                -- what the chunks of this metric and writer hold in all
  count INTEGER NOT NULL DEFAULT 0,
  min_step INTEGER,
  max_step INTEGER,
  min_time INTEGER,
  max_time INTEGER,
  finite INTEGER NOT NULL DEFAULT 0,                -- as in metric_bests, of the points in chunks, in order of arrival
  lowest REAL,
  lowest_step INTEGER,
  highest REAL,
  highest_step INTEGER,
  latest REAL,
  latest_step INTEGER,
  smoothed REAL,
  PRIMARY KEY (metric, writer)
) STRICT, WITHOUT ROWID;
CREATE INDEX folded_writer ON folded (writer);

CREATE TABLE chunks (
  metric INTEGER NOT NULL REFERENCES metric_keys (id) ON DELETE CASCADE,
  writer INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  min_step INTEGER NOT NULL,
  max_step INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  cells BLOB,                                       -- packed: the exact figures of the whole chunk, by steps and by times
  data BLOB NOT NULL,
  PRIMARY KEY (metric, writer, seq)
) STRICT;
CREATE INDEX chunks_writer ON chunks (writer);

CREATE TABLE summaries (
  metric INTEGER NOT NULL REFERENCES metric_keys (id) ON DELETE CASCADE,
  writer INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  level INTEGER NOT NULL,
  seq INTEGER NOT NULL,                             -- of the last chunk in it
  first_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  min_step INTEGER NOT NULL,
  max_step INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  step_cells BLOB NOT NULL,
  time_cells BLOB NOT NULL,
  PRIMARY KEY (metric, writer, level, seq)
) STRICT;
CREATE INDEX summaries_writer ON summaries (writer);

-- ---- what else a session leaves ----

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  session INTEGER REFERENCES training_sessions (key) ON DELETE CASCADE,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  level TEXT NOT NULL DEFAULT 'info' CHECK (level IN ('debug', 'info', 'warning', 'error')),
  step INTEGER,
  message TEXT,
  data TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX events_session ON events (session, time);

CREATE TABLE alert_rules (
  session INTEGER UNIQUE REFERENCES training_sessions (key) ON DELETE CASCADE, -- NULL: the defaults, which a session copies when it starts
  version INTEGER NOT NULL,                         -- another one with each change
  rules TEXT NOT NULL                               -- the JSON array
) STRICT;

CREATE TABLE alert_states (                         -- written with the points that led to them
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  writer INTEGER NOT NULL,                          -- 0: epoch values
  rule TEXT NOT NULL,
  metric TEXT NOT NULL,
  state BLOB NOT NULL,
  PRIMARY KEY (session, writer, rule, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  rule TEXT NOT NULL,
  type TEXT NOT NULL,
  severity TEXT NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
  metric TEXT NOT NULL,
  writer INTEGER NOT NULL DEFAULT 0,                -- 0: an epoch value
  lane INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL,                        -- of the point in its lane; of an epoch value a number of its own
  step INTEGER NOT NULL,
  value REAL,
  threshold REAL,
  message TEXT NOT NULL,
  time INTEGER NOT NULL,
  recovered_at INTEGER,
  recovered_step INTEGER,
  acknowledged_at INTEGER,
  revision INTEGER NOT NULL,                        -- changes.seq when it fired or recovered last: never given twice
  fired_revision INTEGER NOT NULL,                  -- changes.seq when it fired
  UNIQUE (session, rule, metric, writer, lane, position) -- adoption never alerts twice
) STRICT;
CREATE INDEX alerts_session ON alerts (session, revision);
CREATE INDEX alerts_open ON alerts (session, rule, metric, writer) WHERE recovered_at IS NULL;
CREATE UNIQUE INDEX alerts_revision ON alerts (revision);

CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,             -- a cursor: never given twice
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  name TEXT NOT NULL,
  step INTEGER,
  epoch INTEGER,
  time INTEGER NOT NULL,
  content_hash TEXT NOT NULL,                       -- SHA-256, the name of the file in media/
  media_type TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  width INTEGER,
  height INTEGER,
  caption TEXT,
  prediction TEXT,
  label TEXT,
  score REAL,
  boxes TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX images_session ON images (session);
CREATE INDEX images_stream ON images (session, name);
CREATE INDEX images_content ON images (content_hash);

CREATE TABLE image_sessions (
  session INTEGER PRIMARY KEY REFERENCES training_sessions (key) ON DELETE CASCADE,
  kept INTEGER NOT NULL,                            -- of each name
  dropped INTEGER NOT NULL DEFAULT 0                -- found no room in the queue
) STRICT;

-- Contents whose file may go, unless another row names it: whoever removes a row of images leaves the file to the next sweep.
CREATE TABLE images_removed (content_hash TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TRIGGER images_delete_content AFTER DELETE ON images BEGIN
  INSERT INTO images_removed (content_hash) VALUES (OLD.content_hash) ON CONFLICT DO NOTHING;
END;

CREATE TABLE confusion_matrices (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES training_sessions (id) ON DELETE CASCADE,
  epoch INTEGER,
  dataset_split TEXT NOT NULL DEFAULT 'val',
  classes INTEGER NOT NULL,
  class_names TEXT NOT NULL,                        -- JSON array of texts
  class_groups TEXT,                                -- JSON array of texts and nulls, beside class_names
  matrix BLOB NOT NULL,                             -- packed counts; rows are true classes
  extra TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX confusion_matrices_session ON confusion_matrices (session_id, epoch);
CREATE UNIQUE INDEX confusion_matrices_row ON confusion_matrices (session_id, coalesce(epoch, -1), dataset_split);

CREATE TABLE collection_jobs (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')),
  options TEXT NOT NULL DEFAULT '{}',
  error_message TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE collection_files (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES collection_jobs (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  keyword TEXT NOT NULL DEFAULT '',
  url TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'leased', 'kept', 'rejected', 'duplicate', 'failed')),
  tries INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER,
  not_before INTEGER,
  content_hash TEXT,
  perceptual_hash BLOB,
  path TEXT,
  media_type TEXT,
  bytes INTEGER,
  width INTEGER,
  height INTEGER,
  score REAL,
  report TEXT,
  license TEXT,
  reason TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (job_id, url)
) STRICT;
CREATE INDEX collection_files_state ON collection_files (job_id, state, not_before);
CREATE INDEX collection_files_content ON collection_files (content_hash) WHERE content_hash IS NOT NULL;

-- ---- the feed of changes ----

CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  table_name TEXT NOT NULL,
  op TEXT NOT NULL CHECK (op IN ('INSERT', 'UPDATE', 'DELETE')),
  row_id TEXT NOT NULL,
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
-- Pruned in strides of 256, so that a commit does not also dirty the oldest page: between 100,000 and 100,255 rows stay.
CREATE TRIGGER changes_prune AFTER INSERT ON changes WHEN NEW.seq % 256 = 0 BEGIN
  DELETE FROM changes WHERE seq <= NEW.seq - 100000;
END;

-- ---- figures that are kept, not sent ----

-- A key is never given twice while rows of a deleted session may linger (a shell deletes without foreign keys).
CREATE TRIGGER training_sessions_key AFTER INSERT ON training_sessions WHEN NEW.key IS NULL BEGIN
  UPDATE training_sessions SET key = 1 + max(
    coalesce((SELECT max(key) FROM training_sessions), 0),
    coalesce((SELECT max(session) FROM metric_keys), 0),
    coalesce((SELECT max(session) FROM writers), 0)) WHERE id = NEW.id;
END;

-- julianday() is exact to the millisecond.
CREATE TRIGGER training_sessions_insert_duration AFTER INSERT ON training_sessions
WHEN NEW.started_at IS NOT NULL AND NEW.completed_at IS NOT NULL BEGIN
  UPDATE training_sessions SET duration_seconds = round(max(0.0, (julianday(NEW.completed_at) - julianday(NEW.started_at)) * 86400.0), 3) WHERE id = NEW.id;
END;
CREATE TRIGGER training_sessions_update_duration AFTER UPDATE OF started_at, completed_at ON training_sessions
WHEN NEW.started_at IS NOT OLD.started_at OR NEW.completed_at IS NOT OLD.completed_at BEGIN
  UPDATE training_sessions SET duration_seconds = round(max(0.0, (julianday(NEW.completed_at) - julianday(NEW.started_at)) * 86400.0), 3) WHERE id = NEW.id;
END;

CREATE TRIGGER training_sessions_updated AFTER UPDATE OF session_name, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config,
    hardware_info, status, started_at, completed_at, duration_seconds, best_epoch, best_metric, final_map50, final_map50_95, final_precision, final_recall, final_loss,
    model_path, error_message, paused, control, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction,
    dropped, attempts, notes, tags, parent_id ON training_sessions
WHEN NEW.updated_at IS OLD.updated_at BEGIN
  UPDATE training_sessions SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;
CREATE TRIGGER training_metrics_updated AFTER UPDATE OF epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate,
    epoch_time_seconds, gpu_memory_mb, val_loss, train_accuracy, val_accuracy, extra ON training_metrics
WHEN NEW.updated_at IS OLD.updated_at BEGIN
  UPDATE training_metrics SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

-- Best epoch: highest map50_95, else lowest val_loss, else lowest total_loss; or what best_metric says ("NAME:max", "NAME:min", of a column or of a
-- name in `extra`). The earlier of equals. json_each passes where trusted_schema is off; names may hold what a JSON path can't.
CREATE VIEW session_best_epochs AS
SELECT s.id AS session_id, CASE WHEN s.best_metric IS NULL THEN coalesce(
    (SELECT epoch FROM training_metrics WHERE session_id = s.id AND map50_95 IS NOT NULL ORDER BY map50_95 DESC, epoch LIMIT 1),
    (SELECT epoch FROM training_metrics WHERE session_id = s.id AND val_loss IS NOT NULL ORDER BY val_loss, epoch LIMIT 1),
    (SELECT epoch FROM training_metrics WHERE session_id = s.id AND total_loss IS NOT NULL ORDER BY total_loss, epoch LIMIT 1))
  ELSE (SELECT epoch FROM
      (SELECT m.epoch AS epoch, CASE substr(s.best_metric, -4) WHEN ':max' THEN -1 ELSE 1 END * CASE substr(s.best_metric, 1, length(s.best_metric) - 4)
        WHEN 'box_loss' THEN m.box_loss WHEN 'cls_loss' THEN m.cls_loss WHEN 'dfl_loss' THEN m.dfl_loss WHEN 'total_loss' THEN m.total_loss
        WHEN 'precision' THEN m.precision WHEN 'recall' THEN m.recall WHEN 'map50' THEN m.map50 WHEN 'map50_95' THEN m.map50_95
        WHEN 'learning_rate' THEN m.learning_rate WHEN 'epoch_time_seconds' THEN m.epoch_time_seconds WHEN 'gpu_memory_mb' THEN m.gpu_memory_mb
        WHEN 'val_loss' THEN m.val_loss WHEN 'train_accuracy' THEN m.train_accuracy WHEN 'val_accuracy' THEN m.val_accuracy
        ELSE (SELECT j.value FROM json_each(m.extra) AS j
              WHERE j.key = substr(s.best_metric, 1, length(s.best_metric) - 4) AND j.type IN ('real', 'integer')) END AS score
       FROM training_metrics AS m WHERE m.session_id = s.id)
    WHERE score IS NOT NULL ORDER BY score, epoch LIMIT 1) END AS epoch
FROM training_sessions AS s;

CREATE TRIGGER training_metrics_insert_best AFTER INSERT ON training_metrics BEGIN
  UPDATE training_sessions SET best_epoch = b.epoch FROM (SELECT epoch FROM session_best_epochs WHERE session_id = NEW.session_id) AS b
  WHERE id = NEW.session_id AND best_epoch IS NOT b.epoch;
END;
CREATE TRIGGER training_metrics_update_best AFTER UPDATE OF session_id, epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95,
    learning_rate, epoch_time_seconds, gpu_memory_mb, val_loss, train_accuracy, val_accuracy, extra ON training_metrics BEGIN
  UPDATE training_sessions SET best_epoch = b.epoch FROM (SELECT epoch FROM session_best_epochs WHERE session_id = NEW.session_id) AS b
  WHERE id = NEW.session_id AND best_epoch IS NOT b.epoch;
END;
CREATE TRIGGER training_metrics_delete_best AFTER DELETE ON training_metrics BEGIN
  UPDATE training_sessions SET best_epoch = b.epoch FROM (SELECT epoch FROM session_best_epochs WHERE session_id = OLD.session_id) AS b
  WHERE id = OLD.session_id AND best_epoch IS NOT b.epoch;
END;
CREATE TRIGGER training_sessions_update_best AFTER UPDATE OF best_metric ON training_sessions WHEN NEW.best_metric IS NOT OLD.best_metric BEGIN
  UPDATE training_sessions SET best_epoch = (SELECT epoch FROM session_best_epochs WHERE session_id = NEW.id) WHERE id = NEW.id;
END;

-- ---- what the feed is told ----
-- SQLite runs the triggers of one event latest first, so these come after the ones above: an INSERT is told before what it brings about.

-- Signs of life (lease_at) and the keeping of updated_at are no news to a subscriber, so they are not in these lists.
CREATE TRIGGER training_sessions_insert_change AFTER INSERT ON training_sessions BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_sessions', 'INSERT', NEW.id);
END;
CREATE TRIGGER training_sessions_update_change AFTER UPDATE OF session_name, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config,
    hardware_info, status, started_at, completed_at, duration_seconds, best_epoch, best_metric, final_map50, final_map50_95, final_precision, final_recall, final_loss,
    model_path, error_message, paused, control, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction,
    dropped, attempts, notes, tags, parent_id ON training_sessions BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_sessions', 'UPDATE', NEW.id);
END;
CREATE TRIGGER training_sessions_delete_change AFTER DELETE ON training_sessions BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_sessions', 'DELETE', OLD.id);
END;
CREATE TRIGGER training_metrics_insert_change AFTER INSERT ON training_metrics BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_metrics', 'INSERT', NEW.id);
END;
CREATE TRIGGER training_metrics_update_change AFTER UPDATE OF epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate,
    epoch_time_seconds, gpu_memory_mb, val_loss, train_accuracy, val_accuracy, extra ON training_metrics BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_metrics', 'UPDATE', NEW.id);
END;
CREATE TRIGGER training_metrics_delete_change AFTER DELETE ON training_metrics BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_metrics', 'DELETE', OLD.id);
END;
CREATE TRIGGER validation_results_insert_change AFTER INSERT ON validation_results BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('validation_results', 'INSERT', NEW.id);
END;
CREATE TRIGGER validation_results_update_change AFTER UPDATE ON validation_results BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('validation_results', 'UPDATE', NEW.id);
END;
CREATE TRIGGER validation_results_delete_change AFTER DELETE ON validation_results BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('validation_results', 'DELETE', OLD.id);
END;
CREATE TRIGGER confusion_matrices_insert_change AFTER INSERT ON confusion_matrices BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('confusion_matrices', 'INSERT', NEW.id);
END;
CREATE TRIGGER confusion_matrices_update_change AFTER UPDATE ON confusion_matrices BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('confusion_matrices', 'UPDATE', NEW.id);
END;
CREATE TRIGGER confusion_matrices_delete_change AFTER DELETE ON confusion_matrices BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('confusion_matrices', 'DELETE', OLD.id);
END;
CREATE TRIGGER model_benchmarks_insert_change AFTER INSERT ON model_benchmarks BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('model_benchmarks', 'INSERT', NEW.id);
END;
CREATE TRIGGER model_benchmarks_update_change AFTER UPDATE ON model_benchmarks BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('model_benchmarks', 'UPDATE', NEW.id);
END;
CREATE TRIGGER model_benchmarks_delete_change AFTER DELETE ON model_benchmarks BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('model_benchmarks', 'DELETE', OLD.id);
END;
CREATE TRIGGER training_datasets_insert_change AFTER INSERT ON training_datasets BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_datasets', 'INSERT', NEW.id);
END;
CREATE TRIGGER training_datasets_update_change AFTER UPDATE ON training_datasets BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_datasets', 'UPDATE', NEW.id);
END;
CREATE TRIGGER training_datasets_delete_change AFTER DELETE ON training_datasets BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_datasets', 'DELETE', OLD.id);
END;
CREATE TRIGGER hyperparameter_runs_insert_change AFTER INSERT ON hyperparameter_runs BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('hyperparameter_runs', 'INSERT', NEW.id);
END;
CREATE TRIGGER hyperparameter_runs_update_change AFTER UPDATE ON hyperparameter_runs BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('hyperparameter_runs', 'UPDATE', NEW.id);
END;
CREATE TRIGGER hyperparameter_runs_delete_change AFTER DELETE ON hyperparameter_runs BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('hyperparameter_runs', 'DELETE', OLD.id);
END;
CREATE TRIGGER alerts_insert_change AFTER INSERT ON alerts BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('alerts', 'INSERT', NEW.id);
END;
CREATE TRIGGER alerts_update_change AFTER UPDATE ON alerts BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('alerts', 'UPDATE', NEW.id);
END;

-- ---- views ----

CREATE VIEW active_training_sessions AS
SELECT s.*, m.epoch AS current_epoch,
  m.box_loss AS latest_box_loss, m.cls_loss AS latest_cls_loss, m.dfl_loss AS latest_dfl_loss, m.total_loss AS latest_total_loss, m.precision AS latest_precision,
  m.recall AS latest_recall, m.map50 AS latest_map50, m.map50_95 AS latest_map50_95, m.learning_rate AS latest_learning_rate,
  m.epoch_time_seconds AS latest_epoch_time_seconds, m.gpu_memory_mb AS latest_gpu_memory_mb, m.val_loss AS latest_val_loss, m.train_accuracy AS latest_train_accuracy, m.val_accuracy AS latest_val_accuracy,
  m.extra AS latest_extra, m.created_at AS latest_metrics_at
FROM training_sessions AS s
LEFT JOIN training_metrics AS m ON m.session_id = s.id AND m.epoch = (SELECT max(epoch) FROM training_metrics WHERE session_id = s.id)
WHERE s.status = 'running';

CREATE VIEW training_performance_summary AS
SELECT s.id, s.session_name, s.model_type, s.dataset_name, s.dataset_size, s.epochs, s.batch_size, s.learning_rate, s.img_size, s.status,
  s.started_at, s.completed_at, s.duration_seconds, s.best_epoch, s.final_map50, s.final_map50_95, s.final_precision, s.final_recall, s.final_loss,
  s.model_path, s.created_at, count(m.id) AS epochs_recorded, max(m.epoch) AS last_epoch, max(m.map50) AS best_map50, max(m.map50_95) AS best_map50_95,
  max(m.precision) AS best_precision, max(m.recall) AS best_recall, min(m.total_loss) AS min_total_loss, min(m.val_loss) AS min_val_loss,
  avg(m.total_loss) AS avg_total_loss, avg(m.epoch_time_seconds) AS avg_epoch_time_seconds, max(m.gpu_memory_mb) AS max_gpu_memory_mb
FROM training_sessions AS s
LEFT JOIN training_metrics AS m ON m.session_id = s.id
GROUP BY s.id;

-- Equal scores share a rank, as rank() counts; of equals at the border the earlier finished stay.
CREATE VIEW models_leaderboard AS
SELECT t.rank, t.id, t.session_name, t.model_type, t.dataset_name, t.final_map50, t.final_map50_95, t.final_precision, t.final_recall, t.final_loss,
  t.best_epoch, t.epochs, t.duration_seconds, t.model_path, t.completed_at,
  b.avg_inference_ms, b.min_inference_ms, b.max_inference_ms, b.throughput_fps, b.device
FROM (SELECT s.*, rank() OVER (ORDER BY s.final_map50_95 DESC) AS rank FROM training_sessions AS s
      WHERE s.status = 'completed' AND s.final_map50_95 IS NOT NULL
      ORDER BY s.final_map50_95 DESC, s.completed_at, s.key LIMIT 50) AS t
LEFT JOIN model_benchmarks AS b ON b.id = (SELECT id FROM model_benchmarks WHERE session_id = t.id ORDER BY created_at DESC, id DESC LIMIT 1)
ORDER BY t.rank, t.completed_at, t.key;
