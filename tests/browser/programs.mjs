/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Finds, starts and ends the real server and the real trainer. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** The path of the executable `name` in the build folder, wherever its room put it. */
export function findProgram(build, name) {
  const rooms = ["", "bin", "examples", "examples/digits", "examples/dashboard", "tools"];
  for (const room of rooms) {
    const path = join(build, room, name);
    if (existsSync(path) && !isFolder(path)) return path;
  }
  throw new Error(`${name} is in none of ${rooms.join(", ")} of ${build}; build it first`);
}

/** A folder may bear the same name as the program. */
function isFolder(path) {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts a program; its output is kept for the report of a failure. */
export function start(path, args) {
  const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
  const program = { child, output: "", ended: null };
  child.stdout.on("data", (data) => (program.output += data));
  child.stderr.on("data", (data) => (program.output += data));
  program.ended = new Promise((done) => {
    child.on("exit", (code, signal) => done({ code, signal }));
    child.on("error", (error) => done({ code: -1, error }));
  });
  return program;
}

export async function end(program) {
  if (!program || program.child.exitCode !== null || program.child.signalCode !== null) return;
  program.child.kill("SIGTERM");
  const timer = setTimeout(() => program.child.kill("SIGKILL"), 30_000);
  await program.ended;
  clearTimeout(timer);
}

/** Waits until `probe` gives something true; tells what it waited for when it does not. */
export async function until(what, probe, limit = 60_000) {
  const stop = Date.now() + limit;
  let last;
  while (Date.now() < stop) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`waited ${limit} ms in vain until ${what}; last: ${last}`);
}
