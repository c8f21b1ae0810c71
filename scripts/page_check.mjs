#!/usr/bin/env node
// Opens a page of `meanflow page` from disk in headless Chromium and compares it with `meanflow sample`.
//
//   npm install playwright-core          # in any folder, which is then the current one
//   node scripts/page_check.mjs MEANFLOW page.html FOLDER RUN...
//
// The runs are those that the page was made of, in the same order. Checked: the page loads and asks no server; 64 samples of a seed
// differ from the program's by at most one grey level for every network and number of evaluations; the pointer, keys, touch and
// buttons draw something new; a picture takes at most 100 ms at batch 1; nothing is wider than a phone. Screenshots go to FOLDER.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(join(process.cwd(), "any.js"))("playwright-core");
const [program, html, folder, ...runs] = process.argv.slice(2);
const SEED = 7;
const problems = [];
const check = (holds, what) => {
  console.log(`${holds ? "ok  " : "FAIL"}  ${what}`);
  if (!holds) problems.push(what);
};

mkdirSync(folder, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "page-check-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [], requests = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (/^(https?|wss?):/.test(request.url())) requests.push(request.url());
  });
  const began = performance.now();
  await page.goto(pathToFileURL(resolve(html)).href);
  await page.evaluate(() => globalThis.meanflow.ready);
  await page.waitForFunction(() => document.getElementById("live").textContent.includes("ms"));
  return { page, errors, requests, seconds: (performance.now() - began) / 1e3 };
}

const pixels = (page, id) => page.evaluate((id) => document.getElementById(id).toDataURL(), id);
/** Waits until the canvas shows something else than `before`. */
const changes = (page, id, before) =>
  page.waitForFunction(([id, before]) => document.getElementById(id).toDataURL() !== before, [id, before])
    .then(() => true, () => false);

const { page, errors, requests, seconds } = await open({ viewport: { width: 1100, height: 900 } });
check(true, `loaded and drew in ${seconds.toFixed(1)} s`);

// The same pictures as the program, as it writes them to a table.
const models = await page.evaluate(() => globalThis.meanflow.models.map(({ grids, title }) => ({ grids, title })));
for (const [index, model] of models.entries()) {
  for (const { nfe } of model.grids) {
    const table = join(profile, "samples.csv");
    execFileSync(program, ["sample", runs[index], "-n", "64", "--nfe", String(nfe), "--seed", String(SEED), "--out", table]);
    const expected = readFileSync(table, "utf8").trim().split(/[\n,]/).map(Number);
    const { values, one } = await page.evaluate(async ([index, nfe, seed]) => {
      const { models, sample, noise } = globalThis.meanflow;
      const model = models[index];
      const dimension = model.shape.reduce((a, b) => a * b);
      const labels = Array.from({ length: 64 }, (_, i) => (model.classes ? i % model.classes : 0));
      const draws = noise(seed, 64 * dimension);
      const { values } = await sample(model, nfe, draws, labels);
      const times = [];
      for (let i = 0; i < 20; i++) {
        const row = draws.slice(i * dimension, (i + 1) * dimension);
        times.push((await sample(model, nfe, row, [labels[i]])).milliseconds);
      }
      return { values: Array.from(values), one: times.sort((a, b) => a - b)[10] };
    }, [index, nfe, SEED]);
    const byte = (x) => Math.floor(Math.min(255, Math.max(0, 127.5 * x + 128)));
    const levels = values.map((value, i) => Math.abs(byte(value) - byte(expected[i])));
    const worst = levels.reduce((a, b) => Math.max(a, b), 0);
    const range = values.reduce((a, value, i) => Math.max(a, Math.abs(value - expected[i]) / 2), 0);
    const what = `${model.title}, NFE ${nfe}: ${worst} grey levels apart (${range.toExponential(1)} of the range)`;
    check(values.length === expected.length && worst <= 1, what);
    // One step is what the pointer draws; more steps are as many times that.
    check(one <= 100 * nfe, `${model.title}, NFE ${nfe}: ${one.toFixed(1)} ms a picture at batch 1 (median)`);
  }
}

const pad = await page.locator("#pad").boundingBox();
let before = await pixels(page, "picture");
await page.mouse.move(pad.x + pad.width * 0.6, pad.y + pad.height * 0.3, { steps: 5 });
check(await changes(page, "picture", before), "the pointer draws another picture");
before = await pixels(page, "picture");
await page.locator("#pad").focus();
await page.keyboard.press("ArrowRight");
await page.keyboard.press("ArrowDown");
check(await changes(page, "picture", before), "the arrow keys draw another picture");
if (await page.locator("#classes button").count()) {
  before = await pixels(page, "picture");
  await page.keyboard.press("1");
  check(await changes(page, "picture", before), "a digit chooses a class");
}
before = await pixels(page, "grid");
await page.locator("#sixty-four").click();
check(await changes(page, "grid", before), "64 pictures are drawn at a touch");
await page.waitForTimeout(4000);
const captions = await page.locator("#compare figcaption span").allTextContents();
check(captions.every((text) => text.includes("ms")), `side by side: ${captions.join(", ")}`);
await page.screenshot({ path: join(folder, "desktop.png"), fullPage: true });
check(requests.length === 0, `no request to a server ${requests}`);
check(errors.length === 0, `no error in the script ${errors}`);
await page.close();

const phone = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
const touched = await phone.page.locator("#pad").boundingBox();
before = await pixels(phone.page, "picture");
await phone.page.touchscreen.tap(touched.x + touched.width * 0.8, touched.y + touched.height * 0.7);
check(await changes(phone.page, "picture", before), "a touch draws another picture");
const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth);
check(wide <= 360, `the page is ${wide} pixels wide on a phone of 360`);
await phone.page.waitForTimeout(2000);
await phone.page.screenshot({ path: join(folder, "phone.png"), fullPage: true });
check(phone.errors.length === 0, `no error on the phone ${phone.errors}`);

await browser.close();
if (problems.length) {
  console.error(`${problems.length} checks failed`);
  process.exit(1);
}
