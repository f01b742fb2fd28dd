import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { skipUnless } from "../../support/needs.ts";
import { isRoot } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let dir: string;

beforeEach(() => {
  dir = `${temporaryDirectory()}/in`;
  mkdirSync(dir);
});

const put = (name: string, text = name): void => {
  mkdirSync(path.dirname(`${dir}/${name}`), { recursive: true });
  writeFileSync(`${dir}/${name}`, text);
};

const paths = async (exclude: string[]) =>
  [...(await treeFromDirectory(dir, { exclude })).walk()].map((entry) => entry.path).slice(1);

test("files, directories and links with their attributes", async () => {
  put("a/file");
  chmodSync(`${dir}/a/file`, 0o4711);
  utimesSync(`${dir}/a/file`, 5, 1_234_567_890.75);
  symlinkSync("nowhere", `${dir}/link`);
  chmodSync(dir, 0o750);
  const tree = await treeFromDirectory(dir);
  expect(tree.root).toMatchObject({ kind: "directory", mode: 0o750 });
  expect(tree.get("a/file")).toMatchObject({
    kind: "file",
    mode: 0o4711,
    uid: process.getuid?.(),
    mtime: 1_234_567_890,
    contents: { from: "disk", folder: `${dir}/a/`, name: "file", size: 6 },
  });
  expect(tree.get("link")).toMatchObject({ kind: "symlink", target: "nowhere" });
});

test("hard links are one node", async () => {
  put("a/first");
  linkSync(`${dir}/a/first`, `${dir}/second`);
  put("other");
  const tree = await treeFromDirectory(dir);
  expect(tree.get("second")).toBe(tree.get("a/first"));
  expect(tree.get("other")).not.toBe(tree.get("second"));
});

test("names are bytes", async () => {
  for (const name of [Buffer.from("\xff\xfe", "latin1"), Buffer.from("é\n")]) {
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), "");
  }
  const tree = await treeFromDirectory(dir);
  expect([...tree.root.entries.keys()].sort()).toEqual(["\xc3\xa9\n", "\xff\xfe"]);
});

test("the directory itself may be a link", async () => {
  put("file");
  symlinkSync(dir, `${dir}-link`);
  expect((await treeFromDirectory(`${dir}-link`)).get("file")).toBeDefined();
  expect((await treeFromDirectory(`${dir}/`)).get("file")).toBeDefined();
});

describe("exclude", () => {
  beforeEach(() => {
    for (const name of ["a.map", "b/c.map", "b/d.js", ".git/x", "b/.env", "tmp/x/y"]) put(name);
  });
  test.each([
    [["*.map"], [".git", ".git/x", "b", "b/.env", "b/c.map", "b/d.js", "tmp", "tmp/x", "tmp/x/y"]],
    [
      ["**/*.map", "tmp"],
      [".git", ".git/x", "b", "b/.env", "b/d.js"],
    ],
    [
      ["tmp/", "./.git", "**/.*"],
      ["a.map", "b", "b/c.map", "b/d.js"],
    ],
    [
      ["b/*", "tmp/**"],
      [".git", ".git/x", "a.map", "b"],
    ],
    [["*"], undefined],
  ])("%j", async (exclude, left) => {
    if (left === undefined) {
      await expect(paths(exclude)).rejects.toMatchObject({ code: "E_INPUT_EMPTY" });
    } else {
      expect(await paths(exclude)).toEqual(left);
    }
  });
  test("also leaves out what could not be packed", async () => {
    execFileSync("mkfifo", [`${dir}/b/fifo`]);
    expect(await paths(["b/fifo"])).toContain("b/d.js");
  });
  test("matches names that are not ASCII", async () => {
    put("ümläut.txt");
    expect(await paths(["ü*", ".*", "[ab]*"])).toEqual(["tmp", "tmp/x", "tmp/x/y"]);
  });
});

describe("refused", () => {
  test.each([
    ["a missing directory", "missing", "E_INPUT_MISSING"],
    ["a path through a file", "file/below", "E_INPUT_MISSING"],
    ["a file", "file", "E_INPUT_NOT_DIRECTORY"],
  ])("%s", async (_, name, code) => {
    put("file");
    await expect(treeFromDirectory(`${dir}/${name}`)).rejects.toMatchObject({
      code,
      path: `${dir}/${name}`,
    });
  });
  test("an empty directory", async () => {
    await expect(treeFromDirectory(dir)).rejects.toMatchObject({
      code: "E_INPUT_EMPTY",
      path: dir,
    });
  });
  test("a fifo, unless devices are taken", async () => {
    execFileSync("mkfifo", [`${dir}/fifo`]);
    await expect(treeFromDirectory(dir)).rejects.toMatchObject({
      code: "E_FILE_KIND",
      path: `${dir}/fifo`,
    });
    const tree = await treeFromDirectory(dir, { devices: true });
    expect(tree.get("fifo")).toMatchObject({ kind: "fifo" });
  });
  test("a socket, always", async () => {
    const short = mkdtempSync("/tmp/s");
    const server = createServer().listen(`${short}/socket`);
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      await expect(treeFromDirectory(short, { devices: true })).rejects.toMatchObject({
        code: "E_FILE_KIND",
        path: `${short}/socket`,
        message: expect.stringContaining("socket"),
      });
    } finally {
      server.close();
      rmSync(short, { recursive: true });
    }
  });
});

skipUnless("root")("devices have their numbers", async () => {
  execFileSync("mknod", [`${dir}/null`, "c", "1", "3"]);
  execFileSync("mknod", [`${dir}/disk`, "b", "259", "70000"]);
  await expect(treeFromDirectory(dir)).rejects.toMatchObject({ code: "E_FILE_KIND" });
  const tree = await treeFromDirectory(dir, { devices: true });
  expect(tree.get("null")).toMatchObject({ kind: "character-device", major: 1, minor: 3 });
  expect(tree.get("disk")).toMatchObject({ kind: "block-device", major: 259, minor: 70_000 });
});

skipUnless("root")("a directory that may not be read is named, and can be left out", async () => {
  mkdirSync(`${dir}/closed`, { mode: 0o700 });
  put("open/file");
  expect(isRoot).toBe(true);
  process.seteuid?.(1000);
  try {
    await expect(treeFromDirectory(dir)).rejects.toMatchObject({
      code: "E_FILE_UNREADABLE",
      path: `${dir}/closed`,
    });
    expect((await treeFromDirectory(dir, { exclude: ["closed"] })).get("open/file")).toBeDefined();
  } finally {
    process.seteuid?.(0);
  }
});

skipUnless("xattrs")("attributes of the file are kept, those of the host are not", async () => {
  put("file");
  const set = (name: string) =>
    spawnSync("setfattr", ["-n", name, "-v", name, `${dir}/file`]).status === 0;
  const given = ["user.note", "user.overlay.opaque", "security.other", "security.SMACK64"];
  const done = given.filter(set);
  const names = (await treeFromDirectory(dir)).get("file")?.xattrs.map(({ name }) => name);
  const kept = ["user.note", "security.other"].filter((name) => done.includes(name));
  expect(names?.toSorted()).toEqual(kept.toSorted());
});

test("an abort ends the scan", async () => {
  for (let i = 0; i < 300; i++) put(`d${i}/file`);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(treeFromDirectory(dir, { signal })).rejects.toThrow("enough");
});
