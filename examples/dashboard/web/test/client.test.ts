/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The calls of the page against a server that answers as it is told. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { ApiError, command, getSeries, getStatus } from "../src/api/client";

interface Answer {
  status: number;
  after?: string;
}

let answers: Answer[] = [];
let asked: { method: string; body: string; at: number }[] = [];

const server = createServer((request, reply) => {
  let body = "";
  request.on("data", (part: Buffer) => (body += part.toString()));
  request.on("end", () => {
    asked.push({ method: request.method ?? "", body, at: performance.now() });
    const answer = answers.shift() ?? { status: 200 };
    if (answer.after !== undefined) reply.setHeader("Retry-After", answer.after);
    reply.writeHead(answer.status, { "Content-Type": "application/json" });
    reply.end(answer.status === 200 ? '{"store": "x"}' : '{"error": {"code": "rate_limited", "message": "too many", "field": null}}');
  });
});
server.keepAliveTimeout = 0; /* else a connection may end just as it is used again */
const fetchAbsolute = globalThis.fetch;
let heard: () => void = () => undefined;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  // A page has an origin, node has none.
  globalThis.fetch = async (path, init) => {
    const reply = await fetchAbsolute(`http://127.0.0.1:${port}${path as string}`, init);
    heard();
    return reply;
  };
});
after(() => {
  globalThis.fetch = fetchAbsolute;
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  heard = () => undefined;
  answers = [];
  asked = [];
});

const isLimited = (error: unknown): boolean => error instanceof ApiError && error.status === 429 && error.message === "too many";

test("429 is asked again once, when the server says", async () => {
  answers = [{ status: 429, after: "1" }, { status: 200 }];
  assert.equal((await getStatus()).store, "x");
  assert.equal(asked.length, 2);
  assert.ok((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0) >= 990);
});

test("what is posted is posted again whole", async () => {
  answers = [{ status: 429, after: "0" }];
  await command("stop", "s");
  assert.deepEqual(asked.map(({ method, body }) => [method, body]), [["POST", '{"session_id":"s"}'], ["POST", '{"session_id":"s"}']]);
});

test("a second 429 is told", async () => {
  answers = [{ status: 429, after: "0" }, { status: 429, after: "0" }, { status: 200 }];
  await assert.rejects(getStatus(), isLimited);
  assert.equal(asked.length, 2);
});

test("without a time, with one too long, and for other errors nothing is asked again", async () => {
  for (const answer of [{ status: 429 }, { status: 429, after: "3600" }, { status: 429, after: "soon" }, { status: 503, after: "0" }]) {
    asked = [];
    answers = [answer];
    await assert.rejects(getStatus(), ApiError);
    assert.equal(asked.length, 1);
  }
});

test("a call that is given up does not wait", async () => {
  answers = [{ status: 429, after: "20" }];
  const control = new AbortController();
  heard = () => setTimeout(() => control.abort(), 100);
  const begun = performance.now();
  const call = getSeries({ session: "s", keys: ["k"], axis: "step", from: null, to: null, width: 1 }, control.signal);
  await assert.rejects(call, { name: "AbortError" });
  assert.ok(performance.now() - begun < 15_000);
  assert.equal(asked.length, 1);
});
