/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Bundles the tests with the esbuild that Vite brings and runs them under node:test. */
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = fileURLToPath(new URL("../.test/", import.meta.url));
const names = readdirSync(here).filter((name) => name.endsWith(".test.ts")).sort();
rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: names.map((name) => here + name),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  logLevel: "warning",
});
const files = names.map((name) => out + name.replace(/\.ts$/, ".mjs"));
process.exit(spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1);
