-- SPDX-License-Identifier: MIT
-- SPDX-FileCopyrightText: libtrainmon contributors
-- From 1.0 to 1.1: sessions have a summary, and an alert need not name a step.

ALTER TABLE training_sessions ADD COLUMN summary TEXT; -- JSON object of final figures; NULL: none
DROP TRIGGER training_sessions_updated;
CREATE TRIGGER training_sessions_updated AFTER UPDATE OF session_name, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config,
    hardware_info, status, started_at, completed_at, duration_seconds, best_epoch, best_metric, final_map50, final_map50_95, final_precision, final_recall, final_loss,
    model_path, error_message, paused, control, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction,
    dropped, attempts, notes, tags, parent_id, summary ON training_sessions
WHEN NEW.updated_at IS OLD.updated_at BEGIN
  UPDATE training_sessions SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;
DROP TRIGGER training_sessions_update_change;
CREATE TRIGGER training_sessions_update_change AFTER UPDATE OF session_name, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config,
    hardware_info, status, started_at, completed_at, duration_seconds, best_epoch, best_metric, final_map50, final_map50_95, final_precision, final_recall, final_loss,
    model_path, error_message, paused, control, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction,
    dropped, attempts, notes, tags, parent_id, summary ON training_sessions BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('training_sessions', 'UPDATE', NEW.id);
END;

-- SQLite takes NOT NULL from no column, so the table is made anew. Its triggers and indexes go with the old one; the change feed is told nothing.
CREATE TABLE alerts_1001 (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  session INTEGER NOT NULL REFERENCES training_sessions (key) ON DELETE CASCADE,
  rule TEXT NOT NULL,
  type TEXT NOT NULL,
  severity TEXT NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
  metric TEXT NOT NULL,                             -- '': a note, type 'note', whose `rule` is its title
  writer INTEGER NOT NULL DEFAULT 0,                -- 0: an epoch value, or a note
  lane INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL,                        -- of the point in its lane; of an epoch value a number of its own
  step INTEGER,                                     -- NULL: a note that names none
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
INSERT INTO alerts_1001 SELECT * FROM alerts;
DELETE FROM sqlite_sequence WHERE name = 'alerts_1001';
INSERT INTO sqlite_sequence (name, seq) SELECT 'alerts_1001', seq FROM sqlite_sequence WHERE name = 'alerts'; -- no number is given twice
DROP TABLE alerts;
ALTER TABLE alerts_1001 RENAME TO alerts;
CREATE INDEX alerts_session ON alerts (session, revision);
CREATE INDEX alerts_open ON alerts (session, rule, metric, writer) WHERE recovered_at IS NULL;
CREATE UNIQUE INDEX alerts_revision ON alerts (revision);
CREATE TRIGGER alerts_insert_change AFTER INSERT ON alerts BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('alerts', 'INSERT', NEW.id);
END;
CREATE TRIGGER alerts_update_change AFTER UPDATE ON alerts BEGIN
  INSERT INTO changes (table_name, op, row_id) VALUES ('alerts', 'UPDATE', NEW.id);
END;
