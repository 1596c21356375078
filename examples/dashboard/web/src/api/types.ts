/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The shapes of docs/reference/rest.md. */

export type Status = "pending" | "running" | "completed" | "failed" | "cancelled" | "interrupted";
export type Control = "run" | "pause" | "stop";
export type Axis = "step" | "time";

export interface Progress {
  epoch: number | null;
  epochs: number | null;
  batch: number | null;
  batches: number | null;
  images: number | null;
  percent: number | null;
  elapsed_seconds: number | null;
  eta_seconds: number | null;
}

export interface Session {
  id: string;
  session_name: string | null;
  model_type: string | null;
  dataset_name: string | null;
  dataset_size: number | null;
  epochs: number | null;
  batch_size: number | null;
  learning_rate: number | null;
  img_size: number | null;
  config?: Record<string, unknown> | null;
  hardware_info?: Record<string, unknown> | null;
  status: Status;
  control: Control;
  paused: boolean;
  live: boolean;
  unreachable: boolean;
  rest: boolean;
  created_at: string | null;
  started_at: string | null;
  completed_at: string | null;
  updated_at: string | null;
  duration_seconds: number | null;
  best_epoch: number | null;
  final_map50: number | null;
  final_map50_95: number | null;
  final_precision: number | null;
  final_recall: number | null;
  final_loss: number | null;
  model_path: string | null;
  error_message: string | null;
  dropped: number | null;
  attempts: number | null;
  progress: Progress | null;
}

export interface EpochRow {
  session_id: string;
  epoch: number;
  created_at: string | null;
  extra: Record<string, unknown> | null;
  [column: string]: unknown;
}

export interface SeriesSummary {
  key: string;
  count: number;
  last_step: number | null;
  last_time: number | null;
  last_value: number | null;
}

export interface SessionDetail {
  session: Session;
  metrics: EpochRow[];
  series: SeriesSummary[];
}

/** One key of /api/series: columns of equal length, one entry a non-empty bucket. */
export interface SeriesColumns {
  key: string;
  bucket_width: number;
  start: number[];
  count: number[];
  first_x: number[];
  last_x: number[];
  first: (number | null)[];
  last: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
  nan: number[];
  inf: number[];
}

export interface SeriesReply {
  session_id: string;
  axis: Axis;
  series: SeriesColumns[];
}

/** What came for one key since the last update. */
export interface LivePoint {
  step: number;
  time: number;
  value: number | null;
  count: number;
  min: number | null;
  max: number | null;
}

export interface MetricsUpdate {
  type: "metrics_update";
  session_id: string;
  session: Session;
  points?: Record<string, LivePoint> | null;
  system?: Partial<Record<"gpu_usage" | "gpu_memory" | "gpu_temp" | "ram_usage" | "eta_seconds", number | null>> | null;
}

export interface SessionEvent {
  type: "training_started" | "training_progress" | "training_completed" | "training_failed";
  session_id: string;
  session: Session;
}

export type Message =
  | { type: "hello"; version: string; server_time: string; updates_per_second: number }
  | MetricsUpdate
  | SessionEvent
  | { type: "resync"; session_id: string };
