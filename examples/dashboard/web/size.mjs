/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Prints the size of the built page, plain and in brotli; fails above the budget. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";

const budget = 120_000;
const folder = process.argv[2] ?? new URL("../dist", import.meta.url).pathname;
let total = 0;
const walk = (at) => {
  for (const name of readdirSync(at).sort()) {
    const path = join(at, name);
    if (statSync(path).isDirectory()) {
      walk(path);
      continue;
    }
    const data = readFileSync(path);
    const packed = brotliCompressSync(data).length;
    total += packed;
    console.log(`${String(data.length).padStart(8)} ${String(packed).padStart(8)} br  ${path.slice(folder.length + 1)}`);
  }
};
walk(folder);
console.log(`total ${total} bytes brotli, budget ${budget}`);
process.exit(total <= budget ? 0 : 1);
