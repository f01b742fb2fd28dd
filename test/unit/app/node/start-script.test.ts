import { describe, expect, test } from "vitest";
import {
  nodeCommands,
  shebangWords,
  splitFlags,
} from "../../../../builder/app/node/start-script.ts";

describe("nodeCommands", () => {
  test.each([
    ["node server.js", [{ variables: [], words: ["server.js"] }]],
    ["node", [{ variables: [], words: [] }]],
    ["exec /usr/bin/node a.js", [{ variables: [], words: ["a.js"] }]],
    [
      "NODE_ENV=production PORT=80 node --max-old-space-size=96 'a b.js' --x \"$HOME\"",
      [
        {
          variables: ["NODE_ENV=production", "PORT=80"],
          words: ["--max-old-space-size=96", "a b.js", "--x", "${HOME}"],
        },
      ],
    ],
    ["cross-env NODE_ENV=x node a.js", [{ variables: ["NODE_ENV=x"], words: ["a.js"] }]],
    [
      "npm run build && node dist/a.js | pino-pretty; node b.js dist/*.json",
      [
        { variables: [], words: ["dist/a.js"] },
        { variables: [], words: ["b.js", "dist/*.json"] },
      ],
    ],
    ["nodemon a.js", []],
    ["next start", []],
    ["echo node a.js", []],
    ["", []],
  ])("finds Node in: %s", (script, commands) => {
    expect(nodeCommands(script)).toEqual(commands);
  });
});

describe("shebangWords", () => {
  test.each([
    ["#!/usr/bin/env node", []],
    ["#!/usr/bin/env -S node --no-warnings --import tsx", ["--no-warnings", "--import", "tsx"]],
    ["#! /usr/local/bin/node --max-old-space-size=8", ["--max-old-space-size=8"]],
    ["#!/bin/sh node --x", []],
  ])("takes what stands behind Node in %s", (line, words) => {
    expect(shebangWords(line)).toEqual(words);
  });
});

describe("splitFlags", () => {
  const names = (words: string[]) => {
    const { flags, program } = splitFlags(words);
    return [flags.map(({ name, value }) => [name, value]), program];
  };
  test.each([
    [
      ["a.js", "--x"],
      [[], ["a.js", "--x"]],
    ],
    [
      ["-r", "x", "--y", "a.js"],
      [
        [
          ["-r", "x"],
          ["--y", undefined],
        ],
        ["a.js"],
      ],
    ],
    [
      ["--import=x", "--env-file", ".env", "a"],
      [
        [
          ["--import", "x"],
          ["--env-file", ".env"],
        ],
        ["a"],
      ],
    ],
    [
      ["--stack-size=1", "--", "-a.js"],
      [[["--stack-size", "1"]], ["-a.js"]],
    ],
    [["--watch"], [[["--watch", undefined]], []]],
  ])("splits %j at the program", (words, expected) => {
    expect(names(words)).toEqual(expected);
  });
});
