import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/process.ts";

const text = readFileSync(path.join(root, "docs/GLOSSARY.md"), "utf8");
const rows = [...text.matchAll(/^\| (.+) \| (.+) \| \[(.+)\]\(\.\.\/(.+)\) \|$/gm)].map(
  ([, word = "", meaning = "", name = "", file = ""]) => ({ word, meaning, name, file }),
);

test("every row names a word, one sentence and a file that exists", () => {
  const lines = text.split("\n").filter((line) => /^\| (?!word )/.test(line));
  expect(rows).toHaveLength(lines.length);
  expect(rows.length).toBeGreaterThan(40);
  for (const { word, meaning, name, file } of rows) {
    expect(existsSync(path.join(root, file)), word).toBe(true);
    expect(name, word).toBe(file);
    expect(meaning, word).toMatch(/^[A-Z`][^.]*(\.\w[^.]*)*\.$/);
  }
});

test("no word stands twice", () => {
  const words = rows.map(({ word }) => word);
  expect(new Set(words).size).toBe(words.length);
});

/** How a file says a word: its name or its contents, without regard to how it is spelled there. */
const plain = (words: string) => words.toLowerCase().replace(/[^a-z]/g, "");

test("the file of a word says it", () => {
  const silent = rows.filter(({ word, file }) => {
    const said = plain(`${file} ${readFileSync(path.join(root, file), "utf8")}`);
    return !word.split(", ").some((one) => said.includes(plain(one)));
  });
  expect(silent).toEqual([]);
});
