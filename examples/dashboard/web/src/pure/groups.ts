/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which metric keys share a chart: loss, accuracy, learning rate, then one chart for each further last path part. */

export interface Group {
  name: string;
  keys: string[];
}

const first = ["loss", "accuracy", "learning rate"];
const splits = /^(train|training|val|valid|validation|test|eval)[_.-](.+)$/;
const same: Record<string, string> = {
  acc: "accuracy",
  lr: "learning rate",
  learning_rate: "learning rate",
};

/** "train/loss", "val_loss" and "loss" are all of group "loss". */
export function groupOf(key: string): string {
  const part = key.slice(key.lastIndexOf("/") + 1) || key;
  const bare = splits.exec(part)?.[2] ?? part;
  const name = same[bare.toLowerCase()] ?? bare;
  return first.includes(name.toLowerCase()) ? name.toLowerCase() : name;
}

function rank(name: string): number {
  const at = first.indexOf(name);
  return at < 0 ? first.length : at;
}

export function groupKeys(keys: readonly string[]): Group[] {
  const groups = new Map<string, string[]>();
  for (const key of keys) {
    const name = groupOf(key);
    const list = groups.get(name);
    if (list) list.push(key);
    else groups.set(name, [key]);
  }
  return [...groups]
    .map(([name, list]) => ({ name, keys: list.sort() }))
    .sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}
