/** Paths where something else stands than what is wanted: the message says what, and nothing is waited for. */
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const dir = temporaryDirectory();
const at = (name: string) => path.join(dir, name);
const output = at("app.run");
const what = {
  file: "file",
  fifo: "fifo",
  socket: "socket",
  "link-to-file": "symbolic link to a file",
  "link-to-fifo": "symbolic link to a fifo",
  dangling: "symbolic link that leads to nothing",
};

beforeAll(async () => {
  mkdirSync(at("app/bin"), { recursive: true });
  writeFileSync(at("app/bin/x"), "#!/bin/sh\necho ran\n");
  chmodSync(at("app/bin/x"), 0o755);
  writeFileSync(at("file"), "text");
  expect(await run("mkfifo", [at("fifo")])).toMatchObject({ status: 0 });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
  server.unref();
  for (const [name, target] of [
    ["link-to-file", "file"],
    ["link-to-fifo", "fifo"],
    ["dangling", "nowhere"],
    ["link-to-script", "app/bin/x"],
  ] as const)
    symlinkSync(target, at(name));
  expect(await bundle(["build", at("app"), "-o", output])).toMatchObject({ status: 0 });
});

describe("where a folder is to be made", () => {
  test.each(Object.entries(what))("bundle extract finds %s", async (name, words) => {
    const { status, stderr } = await bundle(["extract", output, "-d", at(name)]);
    expect(status).toBe(1);
    expect(stderr).toContain("[E_EXTRACT_EXISTS]");
    expect(stderr).toContain(`found a ${words}\n`);
  });

  test.each(Object.entries(what))("a bundle itself finds %s", async (name, words) => {
    const { status, stderr } = await run(output, ["--bundle-extract", at(name)]);
    expect(status).not.toBe(0);
    expect(stderr).toContain("[E_EXTRACT_EXISTS]");
    expect(stderr).toContain(`found a ${words.replace(/ (?:to|that) .*/, "")}\n`);
  });
});

describe("where an input is to be", () => {
  test.each([
    ["fifo", "E_INPUT_NOT_DIRECTORY", "a fifo"],
    ["link-to-fifo", "E_INPUT_NOT_DIRECTORY", "a fifo"],
    ["socket", "E_INPUT_NOT_DIRECTORY", "a socket"],
    ["dangling", "E_INPUT_MISSING", "is a symbolic link that leads to nothing"],
    ["nowhere", "E_INPUT_MISSING", "does not exist"],
  ])("bundle build finds %s", async (name, code, words) => {
    const { status, stderr } = await bundle(["build", at(name), "-o", at("never.run")]);
    expect(status).toBe(1);
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toContain(words);
    expect(existsSync(at("never.run"))).toBe(false);
  });

  test.each(["inspect", "extract"])("bundle %s does not wait for a fifo", async (command) => {
    const { status, stderr } = await bundle([command, at("fifo")]);
    expect(status).toBe(1);
    expect(stderr).toContain("it is a fifo");
  });

  test("a script by a link to it is packed", async () => {
    const out = at("linked.run");
    expect(await bundle(["build", at("link-to-script"), "-o", out])).toMatchObject({ status: 0 });
    expect(await run(out, [])).toMatchObject({ stdout: "ran\n", status: 0 });
  });
});

test.each([
  ["---", "app"],
  ["...", "app"],
  [" . ", "app"],
  ["__", "app"],
  ["–", "app"],
  ["tab\there", "app"],
  [".AppDir", ".AppDir"],
  ["...x", "...x"],
  ["日本", "日本"],
])("a folder called %j makes a bundle called %j", async (folder, name) => {
  const place = path.join(dir, "names", folder);
  mkdirSync(path.join(place, "bin"), { recursive: true });
  writeFileSync(path.join(place, "bin/x"), "#!/bin/sh\n");
  chmodSync(path.join(place, "bin/x"), 0o755);
  const out = at("named.run");
  expect(await bundle(["build", "-o", out, "--", place])).toMatchObject({ status: 0 });
  expect((await bundle(["inspect", "--json", out])).stdout).toContain(`"name": "${name}"`);
});
