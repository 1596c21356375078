/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A person watches a training, pauses it, goes on and stops it: real server, real trainer, real Chromium. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { isDeepStrictEqual } from "node:util";
import { end, findProgram, freePort, sleep, start, until } from "./programs.mjs";

const build = process.env.BUILD;
assert.ok(build, "BUILD must name the build folder");

const name = "browser test";
const lossChart = '[data-testid="chart"][data-group="loss"]';
const complaints = [];
let folder, store, origin, server, trainer, browser, page;

const api = async (path) => (await fetch(origin + path)).json();
const sessionOf = async () => (await api("/api/training/sessions")).sessions.find((one) => one.session_name === name);
const chart = async () =>
  page.locator(lossChart).evaluate((element) => ({ points: Number(element.dataset.points), step: Number(element.dataset.lastStep) }));
const button = (text) => page.getByRole("button", { name: text, exact: true });

async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--no-proxy-server", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--no-first-run"],
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // Of a WebSocket that does not open within 5 s the page itself makes an end, and comes back: on a busy machine that is no fault.
    if (message.type() === "error" && !message.text().includes("WebSocket is closed before the connection is established"))
      complaints.push(`console: ${message.text()}`);
  });
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "trainmon-browser-"));
  store = join(folder, "store");
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  server = start(findProgram(build, "trainmon-dashboard"), [store, "--port", String(port)]);
  await until("the server answers", async () => (await api("/api/status")).success);
  await openBrowser();
});

after(async () => {
  await browser?.close();
  await end(trainer);
  await end(server);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// Each test goes on where the one before it ended: this is one visit. After a failure the rest would only repeat it.
let failed = null;
function step(title, body) {
  test(title, async () => {
    if (failed) assert.fail(`not reached: "${failed}" failed`);
    try {
      await body();
    } catch (error) {
      failed = title;
      mkdirSync("results", { recursive: true });
      await page?.screenshot({ path: "results/failure.png" }).catch(() => undefined);
      error.message += `\nserver: ${server?.output.slice(-2000)}\ntrainer: ${trainer?.output.slice(-2000)}`;
      throw error;
    }
  });
}

step("an empty store says how to start", async () => {
  await page.goto(`${origin}/training`);
  await page.getByRole("heading", { name: "No training sessions yet" }).waitFor();
});

step("a training that starts appears and opens by its link", async () => {
  trainer = start(findProgram(build, "trainmon-digits"), ["--store", store, "--name", name, "--epochs", "100000", "--quiet"]);
  await until("the session is in the store", sessionOf);
  await page.getByRole("link", { name }).click();
  await page.locator(lossChart).waitFor();
  assert.equal(new URL(page.url()).pathname, `/session/${(await sessionOf()).id}`);
  await page.getByText("live", { exact: true }).waitFor();
});

step("points grow while one watches", async () => {
  const first = await until("the chart has points", async () => (await chart()).points > 0 && chart());
  const second = await until("more points come", async () => {
    const now = await chart();
    return now.points > first.points && now.step > first.step && now;
  });
  assert.ok(second.step > first.step);
  const canvas = await page.locator(`${lossChart} canvas`).boundingBox();
  assert.ok(canvas && canvas.width > 200 && canvas.height > 100, "the chart has a canvas of a useful size");
  const label = await page.locator(lossChart).getAttribute("aria-label");
  assert.match(label ?? "", /loss: .* at step \d+/);
});

step("a deep link opens the same session", async () => {
  await page.reload();
  await until("the chart is back with its history", async () => (await chart()).points > 0);
});

step("Pause stops the steps", async () => {
  await button("Pause").click();
  await page.locator('[data-testid="status"][data-status="paused"]').waitFor();
  assert.ok(await button("Pause").isDisabled());
  // What was logged before the pause may still be under way to the page.
  await until("no point comes for two seconds", async () => {
    const held = await chart();
    await sleep(2000);
    return isDeepStrictEqual(await chart(), held);
  });
  assert.equal((await sessionOf()).paused, true);
});

step("Resume lets them grow again", async () => {
  const held = await chart();
  await button("Resume").click();
  await page.locator('[data-testid="status"][data-status="running"]').waitFor();
  await until("the steps go on", async () => (await chart()).step > held.step);
  assert.equal((await sessionOf()).paused, false);
});

step("Stop asks first, and a no changes nothing", async () => {
  await button("Stop").click();
  await page.getByRole("dialog").waitFor();
  await button("Keep training").click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal((await sessionOf()).control, "run");
});

step("Stop and yes cancels the session", async () => {
  await button("Stop").click();
  await page.getByTestId("confirm-stop").click();
  await page.locator('[data-testid="status"][data-status="cancelled"]').waitFor();
  const { code } = await trainer.ended;
  assert.equal(code, 0, "the trainer ended by itself");
  assert.equal((await sessionOf()).status, "cancelled");
  assert.equal(await button("Pause").count(), 0);
});

step("the list tells the same on a phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${origin}/training`);
  await page.locator('[data-testid="status"][data-status="cancelled"]').waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `the page is ${width} wide`);
});

step("the page broke no rule of its content security policy", () => {
  assert.deepEqual(complaints, []);
});
