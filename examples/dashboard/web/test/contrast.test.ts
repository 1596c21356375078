/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Text and its ground differ enough in both themes (WCAG 2: 4.5 for text, 3 for lines and marks). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const css = readFileSync(new URL("../src/style/theme.css", import.meta.url), "utf8");

function colours(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  assert.ok(start >= 0, selector);
  const block = css.slice(start, css.indexOf("}", start));
  return new Map([...block.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const dark = colours(":root");
const themes: [string, Map<string, string>][] = [
  ["dark", dark],
  ["light", new Map([...dark, ...colours(':root[data-theme="light"]')])],
];
const grounds = ["bg-primary", "bg-secondary", "bg-raised"];
const text: [string, string[]][] = [
  ["text-primary", grounds],
  ["text-secondary", grounds],
  ["accent-text", ["bg-primary", "bg-secondary"]],
  ["success", ["bg-primary", "bg-secondary"]],
  ["warning", ["bg-primary", "bg-secondary"]],
  ["danger", ["bg-primary", "bg-secondary"]],
];

for (const [name, theme] of themes) {
  const of = (key: string): string => theme.get(key) ?? assert.fail(`no --${key}`);
  test(`text can be read in the ${name} theme`, () => {
    assert.ok(Math.abs(contrast("#000000", "#ffffff") - 21) < 1e-9);
    for (const [key, behind] of text) {
      for (const ground of behind) {
        const ratio = contrast(of(key), of(ground));
        assert.ok(ratio >= 4.5, `${key} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
    for (const fill of ["accent", "danger-fill"]) assert.ok(contrast("#ffffff", of(fill)) >= 4.5, `white on ${fill}`);
  });
  test(`lines can be seen in the ${name} theme`, () => {
    for (let n = 1; n <= 6; n++) {
      const ratio = contrast(of(`line-${n}`), of("bg-secondary"));
      assert.ok(ratio >= 3, `line-${n}: ${ratio.toFixed(2)}`);
    }
  });
}
