/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a hostile page in a real Chromium can do to a server on loopback: nothing. DNS rebinding and requests from another origin. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { end, findProgram, start, until } from "./programs.mjs";

let folder, origin, port, server, trainer, browser, page, stranger, strange;

/** A server on a port of its own choice, and its address without the last slash. */
async function serve(...options) {
  const program = start(findProgram(process.env.BUILD, "trainmon-dashboard"), [join(folder, "store"), "--port", "0", ...options]);
  try {
    const [, at] = await until("the server says where it is", () => program.output.match(/^(http:\/\/127\.0\.0\.1:\d+)\/$/m), 60_000);
    await until("the server answers", async () => (await fetch(`${at}/api/status`)).ok, 60_000);
    return [program, at];
  } catch (error) {
    await end(program);
    throw error;
  }
}

const active = async () => (await (await fetch(`${origin}/api/training/active`)).json()).sessions;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "trainmon-origin-"));
  [server, origin] = await serve();
  port = new URL(origin).port;
  trainer = start(findProgram(process.env.BUILD, "trainmon-digits"), ["--store", join(folder, "store"), "--name", "victim", "--epochs", "1000000", "--quiet"]);
  await until("the training is live", async () => (await active()).length === 1, 60_000);
  strange = createServer((_, reply) => reply.setHeader("content-type", "text/html").end("<!doctype html><title>strange</title><body></body>"));
  await new Promise((done) => strange.listen(0, "127.0.0.1", done));
  stranger = `http://127.0.0.1:${strange.address().port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--no-proxy-server", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--no-first-run", "--host-resolver-rules=MAP evil.test 127.0.0.1"],
  });
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
});

after(async () => {
  await browser?.close();
  strange?.close();
  await end(trainer);
  await end(server);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** What a script of the open page gets from the server at `base`; for a live message it waits `patience` ms. */
async function attack(base, patience = 1000) {
  return page.evaluate(async ([at, limit]) => {
    const found = {};
    const read = async (name, path, options) => {
      try {
        const reply = await fetch(at + path, options);
        found[name] = { status: reply.status, text: await reply.text() };
      } catch (error) {
        found[name] = { failed: error.name };
      }
    };
    await read("cors", "/api/training/sessions");
    await read("noCors", "/api/training/sessions", { mode: "no-cors" });
    await read("pauseCors", "/api/training/pause", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    await read("pauseNoCors", "/api/training/pause", { method: "POST", mode: "no-cors", body: "{}" });
    await read("pauseEmpty", "/api/training/pause", { method: "POST", mode: "no-cors" });
    const listen = (name, open) =>
      new Promise((done) => {
        const stream = open();
        stream.onmessage = () => done({ stream, heard: 1 });
        stream.onerror = () => done({ stream, heard: 0 });
        setTimeout(() => done({ stream, heard: 0 }), limit);
      }).then(({ stream, heard }) => {
        stream.close();
        found[name] = { heard };
      });
    await listen("websocket", () => new WebSocket(at.replace("http", "ws") + "/ws"));
    await listen("events", () => new EventSource(at + "/events"));
    return found;
  }, [base, patience]);
}

async function unharmed() {
  const [session] = await active();
  assert.equal(session.session_name, "victim");
  assert.deepEqual([session.control, session.paused], ["run", false], "a hostile page paused the training");
}

test("the tools of the attack work where they may", async () => {
  await page.goto(origin);
  const found = await attack(origin, 60_000);
  assert.equal(found.cors.status, 200);
  assert.match(found.cors.text, /victim/);
  assert.equal(found.pauseCors.status, 200);
  assert.ok(found.websocket.heard > 0 && found.events.heard > 0, JSON.stringify(found));
  await fetch(`${origin}/api/training/resume`, { method: "POST" });
  await until("the training runs again", async () => (await active())[0].control === "run" && !(await active())[0].paused);
});

test("a name that a foreign DNS server points here gets nothing", async () => {
  const evil = `http://evil.test:${port}`;
  const reply = await page.goto(evil);
  assert.equal(reply.status(), 403);
  assert.doesNotMatch(await reply.text(), /<script/);
  const found = await attack(evil);
  for (const name of ["cors", "noCors", "pauseCors", "pauseNoCors", "pauseEmpty"]) {
    assert.equal(found[name].status, 403, `${name}: ${JSON.stringify(found[name])}`);
    assert.doesNotMatch(found[name].text, /victim/);
  }
  assert.deepEqual([found.websocket.heard, found.events.heard], [0, 0]);
  await unharmed();
});

test("a page is framed by those who were named, and lives there", async () => {
  const framing = async (host) => {
    const at = `http://${host}:${strange.address().port}`;
    await page.goto(at);
    await page.evaluate((src) => (document.body.innerHTML = `<iframe src="${src}" width="800" height="600"></iframe>`), framed);
    const frame = await until("the frame is there", () => page.frames().find((one) => one.parentFrame() !== null));
    return { frame, at };
  };
  const [second, address] = await serve("--allow-frame", `http://localhost:${strange.address().port}`);
  const framed = `${address}/`;
  try {
    const { frame, at } = await framing("localhost");
    await frame.getByText("victim").first().waitFor();
    const heard = await frame.evaluate(() => new Promise((done) => {
      const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
      socket.onmessage = () => done(true);
      socket.onerror = () => done(false);
    }));
    assert.equal(heard, true, "the framed page gets its updates");
    const outside = await attack(address);
    assert.deepEqual([page.url(), outside.cors.failed, outside.pauseCors.failed, outside.websocket.heard], [at + "/", "TypeError", "TypeError", 0]);
    const other = await framing("127.0.0.1");
    await until("the frame is refused", () => /^chrome-error:/.test(other.frame.url()));
    assert.equal(await other.frame.getByText("victim").count(), 0);
    await unharmed();
  } finally {
    await end(second);
  }
});

test("a page of another origin reads nothing and changes nothing", async () => {
  await page.goto(stranger);
  const found = await attack(origin);
  for (const name of ["cors", "pauseCors"]) assert.equal(found[name].failed, "TypeError", `${name}: ${JSON.stringify(found[name])}`);
  for (const name of ["noCors", "pauseNoCors", "pauseEmpty"]) assert.ok(!found[name].text, `${name}: ${JSON.stringify(found[name])}`);
  assert.deepEqual([found.websocket.heard, found.events.heard], [0, 0]);
  await unharmed();
  for (const kind of ["application/x-www-form-urlencoded", "text/plain"]) {
    await page.goto(stranger);
    const answer = page.waitForResponse((reply) => reply.url().endsWith("/api/training/pause"));
    const arrived = page.waitForURL(`${origin}/api/training/pause`); /* else the next goto would cut the form's own navigation short */
    await page.evaluate(([at, type]) => {
      document.body.innerHTML = `<form method="post" enctype="${type}" action="${at}/api/training/pause"><input name='{"a":"' value='"}'></form>`;
      document.forms[0].submit();
    }, [origin, kind]);
    assert.equal((await answer).status(), 403);
    await arrived;
  }
  await unharmed();
});
