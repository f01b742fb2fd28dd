import { describe, expect, test } from "vitest";
import { explain } from "../../../builder/api/build.ts";
import { startScripts } from "../../../builder/app/user-namespace.ts";
import type { BuildOptions } from "../../../builder/config/build-options.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function warned(files: Files, options: Partial<BuildOptions> = {}): Promise<string[]> {
  const input = temporaryDirectory();
  writeFiles(input, { run: "#!/bin/sh\nexit 0\n", ...files });
  const { warnings } = await explain({ input, entry: "run", kind: "plain", ...options });
  return warnings.filter(({ code }) => code === "W_USER_NAMESPACE").map((one) => one.message);
}

/** Enough of an ELF file to be one. */
const elf = (text = "") => Buffer.from(`\x7fELF\x02\x01\x01${text}`.padEnd(64, "\0"), "latin1");

describe("a build warns of what a new user namespace takes from", () => {
  test.each<[string, Files, RegExp]>([
    ["the entrypoint", { run: "#!/bin/sh\nsudo id\n" }, /^sudo \(run\): .* rights.*--needs setuid/],
    ["another script", { "lib/x": "#!/usr/bin/env bash\nping -c1 h\n" }, /^ping \(lib\/x\): /],
    [
      "a script that is sourced",
      { "lib/y.sh": "start() {\n  pkexec id\n}\n" },
      /^pkexec \(lib\/y.sh\)/,
    ],
    ["a script with ssh", { run: "#!/bin/dash\nexec ssh host\n" }, /^ssh \(run\).*--needs ssh/],
    [
      "a script with keys",
      { run: "#!/bin/sh\nkeyctl show\n" },
      /keyctl .* user's keys; --needs keyring/,
    ],
    [
      "scripts.start",
      { "package.json": JSON.stringify({ scripts: { start: "sudo node x" } }) },
      /^sudo \(package.json\)/,
    ],
  ])("%s", async (_, files, expected) => {
    expect(await warned(files)).toEqual([expect.stringMatching(expected)]);
  });

  test("a program of the app", async () => {
    const fs = await import("node:fs");
    const input = temporaryDirectory();
    writeFiles(input, { run: "#!/bin/sh\nexit 0\n", "bin/ssh": elf(), "bin/podman": elf() });
    for (const name of ["ssh", "podman"]) fs.chmodSync(`${input}/bin/${name}`, 0o755);
    const { warnings } = await explain({ input, entry: "run" });
    const messages = warnings.map((one) => one.message);
    expect(messages).toContainEqual(expect.stringMatching(/^podman \(bin\/podman\): .*setuid/));
    expect(messages).toContainEqual(expect.stringMatching(/^ssh \(bin\/ssh\): /));
  });

  test("several at once, by what they need", async () => {
    const run = "#!/bin/sh\nsudo a; su b; ping c; mount d; scp e\n";
    expect(await warned({ run })).toEqual([
      expect.stringMatching(/^sudo \(run\), su \(run\), ping \(run\) and 1 more: .*setuid/),
      expect.stringMatching(/^scp \(run\): .*--needs ssh/),
    ]);
  });
});

describe("a build does not warn", () => {
  const run = "#!/bin/sh\nsudo a; ssh b\n";

  test("of what is said to be needed, or not to be", async () => {
    expect(await warned({ run }, { needs: ["ssh"] })).toEqual([expect.stringMatching(/^sudo/)]);
    expect(await warned({ run }, { needs: ["setuid", "ssh"] })).toEqual([]);
    expect(await warned({ run }, { needs: ["none"] })).toEqual([]);
  });

  test.each<[string, Files]>([
    ["of scripts in packages", { "node_modules/x/release.sh": run }],
    ["of scripts for other languages", { "x.py": "#!/usr/bin/env python3\nsudo = 1\nssh\n" }],
    ["of what is left out", { "x.sh": run }],
    [
      "of a program of the app's own by that name",
      { run: "#!/bin/sh\nsu a\n", "bin/su": "#!/bin/sh\n" },
    ],
    ["of other scripts of package.json", { "package.json": '{"scripts":{"deploy":"ssh h"}}' }],
    ["of a package.json that is none", { "package.json": "sudo" }],
  ])("%s", async (_, files) => {
    expect(await warned(files, { exclude: ["x.sh"] })).toEqual([]);
  });
});

test("what the options rule out is said", async () => {
  for (const more of [{ writable: true }, { mountAt: "/run/fuselage/x" }, { maps: [".=/opt/x"] }]) {
    expect(await warned({}, { needs: ["ssh", "keyring"], ...more })).toEqual([
      expect.stringMatching(
        /^--(writable|mount-at|map) takes a user namespace .*: ssh, keyring cannot/,
      ),
    ]);
    expect(await warned({}, { needs: ["none"], ...more })).toEqual([]);
    expect(await warned({}, more)).toEqual([]);
  }
});

test("what is needed is explained", async () => {
  const input = temporaryDirectory();
  writeFiles(input, { run: "#!/bin/sh\n" });
  const { lines } = await explain({ input, needs: ["ssh", "ssh", "setuid"] });
  expect(lines).toContain("needs: ssh, setuid, of the user namespace of its caller");
});

test.each<[Record<string, unknown>, string[]]>([
  [{ start: "a" }, ["a"]],
  [{ start: "a", prestart: "b", poststart: "c", test: "d" }, ["b", "a", "c"]],
  [{ start: "npm run one && yarn two", one: "pnpm three", two: "x", three: "npm run one" }, []],
  [{ start: 1 }, []],
])("scripts %j", (scripts, expected) => {
  const found = startScripts(JSON.stringify({ scripts }));
  expect(found).toEqual(
    expected.length > 0 || scripts["one"] === undefined
      ? expected
      : [scripts["start"], scripts["one"], scripts["two"], scripts["three"]],
  );
});

test.each(["", "null", "[]", '{"scripts":null}', '{"scripts":"x"}'])("no scripts in %j", (text) => {
  expect(startScripts(text)).toEqual([]);
});
