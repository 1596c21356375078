/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What is rare on the page: no WebSocket, wide labels, long names, long lists, only a keyboard. Real server, real data, real Chromium. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { end, findProgram, freePort, sleep, start, until } from "./programs.mjs";

const build = process.env.BUILD;
assert.ok(build, "BUILD must name the build folder");
const many = 250;
let folder, origin, server, trainer, browser;

async function send(path, body, method = "POST") {
  const ask = () => fetch(origin + path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  let reply = await ask();
  // A fast machine sends more than the server takes of one client.
  while (reply.status === 429) {
    await reply.body.cancel();
    await sleep(1000 * Number(reply.headers.get("Retry-After")));
    reply = await ask();
  }
  const json = await reply.json();
  assert.ok(json.success, JSON.stringify(json));
  return json;
}

const sessionNamed = async (name) =>
  (await (await fetch(`${origin}/api/training/sessions?limit=1000`)).json()).sessions.find((one) => one.session_name === name);

async function train(name, more = []) {
  trainer = start(findProgram(build, "trainmon-digits"), ["--store", join(folder, "store"), "--name", name, "--epochs", "100000", "--quiet", ...more]);
  return until(`${name} is in the store`, () => sessionNamed(name));
}

async function visit(options, body) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await body(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}

/** What the axes of the page of a session draw, its learning rate in sight. */
async function rateLabels(look, id) {
  let labels;
  await visit(look, async (page) => {
    await page.addInitScript(() => {
      const real = CanvasRenderingContext2D.prototype.fillText;
      window.labels = [];
      CanvasRenderingContext2D.prototype.fillText = function (words, x, y, ...more) {
        const { actualBoundingBoxLeft: before, actualBoundingBoxRight: behind } = this.measureText(words);
        const place = this.getTransform().transformPoint({ x, y });
        window.labels.push({ words, from: place.x - before, to: place.x + behind, width: this.canvas.width });
        return real.call(this, words, x, y, ...more);
      };
    });
    await page.goto(`${origin}/session/${id}`);
    const rate = page.locator('[data-testid="chart"][data-group="learning rate"]');
    await until("the chart has points", async () => (await rate.evaluate((one) => Number(one.dataset.points))) > 0);
    await rate.scrollIntoViewIfNeeded();
    const drawn = () => page.evaluate(() => (window.labels.some((one) => /e-7$/.test(one.words)) ? window.labels : null));
    await until("small numbers are on an axis", drawn);
    // The first frame of a chart is drawn before it has its size; what stays is what counts.
    const count = () => page.evaluate(() => window.labels.length);
    await until("all charts are drawn", async () => {
      const before = await count();
      await sleep(300);
      return (await count()) === before;
    });
    await page.evaluate(() => (window.labels = []));
    await page.setViewportSize({ width: page.viewportSize().width - 1, height: page.viewportSize().height });
    labels = await until("the axes are drawn again", drawn);
  });
  return labels;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "trainmon-edges-"));
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  server = start(findProgram(build, "trainmon-dashboard"), [join(folder, "store"), "--port", String(port)]);
  await until("the server answers", async () => (await fetch(`${origin}/api/status`)).ok);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--no-proxy-server", "--disable-gpu", "--no-first-run"] });
});

after(async () => {
  await browser?.close();
  await end(trainer);
  await end(server);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("without a WebSocket the page lives on events, commands work, and it goes back", async () => {
  const session = await train("no socket");
  await visit({}, async (page) => {
    // The server refuses the other path before the socket opens, as a proxy does.
    await page.addInitScript(() => {
      const Real = window.WebSocket;
      window.blocked = true;
      window.WebSocket = class extends Real {
        constructor(address) {
          super(window.blocked ? address.replace(/\/ws$/, "/no-such-path") : address);
        }
      };
    });
    await page.goto(`${origin}/session/${session.id}`);
    await page.locator('.connection[data-state="stream"]').waitFor();
    assert.equal(await page.locator(".connection").innerText(), "live, by events");
    const points = () => page.locator('[data-testid="chart"][data-group="loss"]').evaluate((one) => Number(one.dataset.points));
    const first = await until("there are points", points);
    await until("points grow over /events", async () => (await points()) > first);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.locator('[data-testid="status"][data-status="paused"]').waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.locator('[data-testid="status"][data-status="running"]').waitFor();
    await page.evaluate(() => (window.blocked = false));
    await page.locator('.connection[data-state="open"]').waitFor({ timeout: 120_000 }); // it is tried again after a minute at most
    const later = await points();
    await until("points grow over the WebSocket", async () => (await points()) > later);
  });
  await end(trainer);
});

test("no label of an axis is cut, in both themes and on a phone", async () => {
  const session = await train("wide labels", ["--rate", "1.2e-7"]);
  // So little that its digits are 1.19999999..., which a library may take for a rounding error.
  await until("the rate fell a little", async () => {
    const { series } = await (await fetch(`${origin}/api/training/sessions/${session.id}`)).json();
    return series.some((one) => /learning_rate$/.test(one.key) && one.last_value < 1.2e-7 * (1 - 4e-9));
  });
  await end(trainer);
  for (const look of [{ colorScheme: "dark" }, { colorScheme: "light" }, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }]) {
    const labels = await rateLabels(look, session.id);
    for (const one of labels) assert.ok(one.from >= 0 && one.to <= one.width, `cut: ${JSON.stringify(one)}`);
    const small = labels.filter((one) => /e-7$/.test(one.words)).map((one) => one.words);
    assert.ok(new Set(small).size > 1, `the rate has ticks: ${small.join(" ")}`);
  }
});

test("long names and names from right to left stay in the page", async () => {
  const names = ["x".repeat(200), "\u05d0\u05d9\u05de\u05d5\u05df \u202eabc", "\u{1f680}".repeat(40)];
  const ids = [];
  for (const name of names) {
    const { session } = await send("/api/training/sessions", { session_name: name, model_type: name, dataset_name: "digits", epochs: 3 });
    await send("/api/training/metrics", { session_id: session.id, epoch: 1, loss: 12345.6, ["k".repeat(120)]: 1 });
    ids.push(session.id);
  }
  for (const width of [390, 1280]) {
    await visit({ viewport: { width, height: 900 } }, async (page) => {
      const fits = async (where) => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${where} is ${wide} wide of ${width}`);
      };
      await page.goto(`${origin}/training`);
      await page.getByRole("link", { name: names[0] }).waitFor();
      await fits("the list");
      const chip = await page.locator(`tr[data-session="${ids[0]}"] .chip`).boundingBox();
      assert.ok(chip.height < 40, "the status is on one line");
      for (const id of ids) {
        await page.goto(`${origin}/session/${id}`);
        await page.getByTestId("epochs").waitFor();
        await fits("the session");
      }
    });
  }
  for (const id of ids) await send(`/api/training/sessions/${id}`, { status: "completed" }, "PATCH");
});

test("the keyboard alone reaches the commands, and Escape closes the question", async () => {
  const { session } = await send("/api/training/sessions", { session_name: "by keyboard", epochs: 3 });
  await visit({ reducedMotion: "reduce" }, async (page) => {
    await page.goto(`${origin}/session/${session.id}`);
    await page.getByRole("button", { name: "Stop", exact: true }).waitFor();
    const seen = [];
    for (let i = 0; i < 20 && seen.at(-1) !== "Stop"; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const one = document.activeElement;
        const look = getComputedStyle(one);
        return { name: one.textContent.trim(), outline: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2 };
      });
      assert.ok(at.outline, `${at.name} shows its focus`);
      seen.push(at.name);
    }
    assert.deepEqual(seen.filter((name) => /^(Skip|trainmon|Sessions|Monitor|Models|Pause|Stop)/.test(name)),
      ["Skip to content", "trainmon", "Sessions", "Monitor", "Models", "Pause", "Stop"]);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Keep training");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Stop");
    await page.locator('header [role="status"]', { hasText: /Status: (pending|running)/ }).waitFor({ state: "attached" });
    assert.equal(await page.locator("progress").evaluate((one) => getComputedStyle(one).transitionDuration), "0s");
  });
  await send(`/api/training/sessions/${session.id}`, { status: "completed" }, "PATCH");
});

test("a long list comes in parts, and the filter looks at all of it", async () => {
  for (let i = 0; i < many; i++) {
    const { session } = await send("/api/training/sessions", { session_name: i === 0 ? "needle" : `run ${i}`, epochs: 3 });
    await send(`/api/training/sessions/${session.id}`, { status: "completed" }, "PATCH");
  }
  await visit({}, async (page) => {
    const rows = page.locator("tbody tr");
    await page.goto(`${origin}/training`);
    await until("a hundred rows", async () => (await rows.count()) === 100);
    await page.getByRole("button", { name: /^Show more/ }).click();
    await until("two hundred rows", async () => (await rows.count()) === 200);
    await page.getByPlaceholder(/^Filter/).fill("needle");
    await page.getByRole("link", { name: "needle", exact: true }).waitFor();
    await page.goto(`${origin}/models`);
    await until("a hundred models", async () => (await rows.count()) === 100);
  });
});
