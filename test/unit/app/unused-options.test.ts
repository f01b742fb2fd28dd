import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { explain } from "../../../builder/api/build.ts";
import { optionRules } from "../../../builder/generated/spec.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function folder(name: string, text: string): string {
  const input = path.join(temporaryDirectory(), "app");
  mkdirSync(input);
  writeFileSync(path.join(input, name), text, { mode: 0o755 });
  return input;
}

/** Each with a value that it takes. */
const nodeValues = {
  node: "24",
  nodeLibc: "musl",
  bundle: "fast",
  include: ["*.txt"],
  compileCache: false,
  nodeInPath: false,
  keepForeign: true,
  inheritNodeOptions: true,
} as const;
const imageValues = {
  mirrors: ["one.example=two.example"],
  insecure: true,
  offline: true,
} as const;
const values = { ...nodeValues, ...imageValues };

const unused = async (options: object) =>
  (await explain({ input: folder("run", "#!/bin/sh\n"), ...options })).warnings
    .filter(({ code }) => code === "W_OPTION_UNUSED")
    .map(({ message }) => message);

test("every option of one kind has a value here", () => {
  const rules = Object.entries(optionRules.build).filter(([, rule]) => "kind" in rule);
  expect(rules.map(([key]) => key).sort()).toEqual(Object.keys(values).sort());
});

test.each(Object.entries(values))("%s of a folder of another kind", async (key, value) => {
  const { flag, kind } = optionRules.build[key as keyof typeof values];
  expect(kind).toBe(key in nodeValues ? "node" : "image");
  const line = `${flag}: for the kind ${kind}, and this is plain`;
  expect(await unused({ [key]: value })).toEqual([line]);
});

test("several are one line, and none is none", async () => {
  expect(await unused({ ...nodeValues, bundle: undefined, include: undefined })).toHaveLength(1);
  expect(await unused({})).toEqual([]);
});

test("a Node app takes them", async () => {
  const input = folder("index.js", "");
  const { warnings } = await explain({ input, kind: "node", node: "host", compileCache: false });
  expect(warnings.map(({ code }) => code)).not.toContain("W_OPTION_UNUSED");
});
