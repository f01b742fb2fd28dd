/**
 * What an app finds of its files does not depend on the way in which they are mounted: some hundred
 * questions to files of every kind, asked of every strategy as root and as a user.
 * test/support/differences.ts says which answers may differ, and why; any other difference is a fault.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { runArguments } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { compare } from "../support/differences.ts";
import { missing, type Need, skipUnless } from "../support/needs.ts";
import { start, type Way, ways } from "../support/packed.ts";
import { isRoot, type Outcome, ordinaryUser, root, run } from "../support/process.ts";
import { compile } from "../support/process-state.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** As `Way`, with extraction to a disk, which is what is left where namespaces are refused. */
interface Place {
  title: string;
  needs: Need[];
  start(home: string, args: string[]): Promise<Outcome>;
}

const byStrategy = (way: Way): Place => ({
  title: way.title,
  needs: way.needs,
  start: (home, args) => start(way, file, args, home, { env: aloneIn(home) }),
});

const onDisk = (who: string, uid: number, gid: number): Place => ({
  title: `extract to a disk, as ${who}`,
  needs: ["root"],
  start: (home, args) =>
    run(refuse, [`${uid}`, `${gid}`, file, ...args], {
      env: { ...aloneIn(home), FUSELAGE_MOUNT: "extract" },
    }),
});

const places: Place[] = [
  ...ways.map(byStrategy),
  onDisk("root", 0, 0),
  onDisk("a user", ordinaryUser().uid, ordinaryUser().gid),
];

/** What the others are compared with. */
const reference = places.find(({ title }) => title === "fuse, as a user") as Place;

let file: string;
let probe: string;
let refuse: string;

/** Files of every kind that an app has. */
function writeApp(dir: string): void {
  const text = "text of an app\n";
  writeFiles(dir, {
    run: runArguments,
    plain: text,
    private: text,
    empty: "",
    "no-format": "neither script nor program\n",
    script: "#!/bin/sh\nexit 3\n",
    "script-of-program": "#!./program\n",
    "read-only": text,
    marked: text,
    owned: text,
    "folder/inner": text,
    "a/very/deep/folder/with/one/file": text,
    "hard/one": text,
    "template/plain": text,
    "template/read-only": text,
    "template/program": "#!/bin/sh\n",
    "template/private": text,
    "template/link": { link: "plain" },
    "change/empty-folder": { folder: true },
    "change/folder": { folder: true },
    "to-plain": { link: "plain" },
    "to-folder": { link: "folder" },
    "to-program": { link: "program" },
    "to-nothing": { link: "nothing" },
    "to-itself": { link: "to-itself" },
    large: Buffer.from(Array.from({ length: 700_001 }, (_, i) => (i * i) >> 7)),
    ...Object.fromEntries(["b", "C", "a", "z-9", "z-10", "_", "é"].map((n) => [`order/${n}`, n])),
  });
  const changed =
    "unlink rename moved over over-this left right link chmod chmod-same chown times truncate xattr";
  for (const name of changed.split(" ")) writeFileSync(path.join(dir, "change", name), text);
  copyFileSync(probe, path.join(dir, "program"));
  linkSync(path.join(dir, "hard/one"), path.join(dir, "hard/two"));
  for (const bytes of [[0xe9], [0x0a], [0x5c], [0x20], [0xff, 0xfe], [0xc3, 0xa9]]) {
    writeFileSync(Buffer.from([...Buffer.from(`${dir}/odd `), ...bytes]), text);
  }
  writeFileSync(path.join(dir, "n".repeat(255)), text);
  const sparse = openSync(path.join(dir, "sparse"), "w");
  writeSync(sparse, text, 1 << 20);
  ftruncateSync(sparse, 3 << 20);
  closeSync(sparse);
  setModes(dir);
}

function setModes(dir: string): void {
  const modes: [string, number][] = [
    ["program", 0o755],
    ["private", 0o600],
    ["read-only", 0o444],
    ["template/read-only", 0o444],
    ["template/private", 0o600],
    ["no-format", 0o755],
    ["change/chmod-same", 0o444],
    ["hard/one", 0o664],
    ["folder", 0o775],
    ["a/very", 0o700],
    ["change/folder", 0o1777],
  ];
  for (const [name, mode] of modes) chmodSync(path.join(dir, name), mode);
  if (missing("xattrs") === undefined) {
    const set = (name: string, value: string, on: string) =>
      execFileSync("setfattr", ["-n", name, "-v", value, path.join(dir, on)]);
    set("user.color", "blue", "marked");
    set("user.empty", "", "marked");
    set("user.long", "long ".repeat(300), "marked");
    set("user.of-folder", "yes", "folder");
  }
  if (isRoot) chownSync(path.join(dir, "owned"), 1234, 4321);
  execFileSync("find", [dir, "-exec", "touch", "-h", "-d", "@1200000000", "{}", "+"]);
  for (const [i, name] of ["plain", "to-plain", "folder", "large", "."].entries()) {
    lutimesSync(path.join(dir, name), 1e9, 1e9 + i);
  }
}

beforeAll(async () => {
  const dir = temporaryDirectory();
  const tree = path.join(root, "test/support/probe-tree.c");
  probe = compile("support/probe-files.c", "-static", tree);
  refuse = compile("support/refuse-calls.c");
  file = path.join(dir, "app.run");
  mkdirSync(path.join(dir, "app"));
  writeApp(path.join(dir, "app"));
  await build({
    input: path.join(dir, "app"),
    output: file,
    entry: "run",
    level: 1,
    keepMtimes: true,
    keepOwners: true,
  });
});

/** The answers of one place, by question. */
async function ask(place: Place): Promise<Map<string, string>> {
  const home = place.title.endsWith("root") ? temporaryDirectory() : userDirectory();
  const script = 'mkdir "$2" && exec "$1" "$FUSELAGE_BUNDLE_DIR" "$2"';
  const args = ["sh", "-c", script, "-", probe, path.join(home, "scratch")];
  const { status, stdout, stderr } = await place.start(home, args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  return new Map(lines.map((line) => splitLast(line, ": ")));
}

function splitLast(text: string, by: string): [string, string] {
  const at = text.lastIndexOf(by);
  return [text.slice(0, at), text.slice(at + by.length)];
}

describe("what an app finds of its files", () => {
  for (const place of places.filter(({ title }) => title !== reference.title)) {
    const check = skipUnless("gcc", "xattrs", ...reference.needs, ...place.needs);
    check(`${place.title}, is what it is by ${reference.title}`, async () => {
      const expected = await ask(reference);
      const found = await ask(place);
      expect(expected.size).toBeGreaterThan(1000);
      expect([...found.keys()]).toEqual([...expected.keys()]);
      expect(compare(place.title, expected, found)).toEqual({ unknown: [], stale: [] });
    });
  }

  skipUnless(
    "gcc",
    "xattrs",
    ...reference.needs,
  )("is what was packed", async () => {
    const expected = {
      "mode of read-only": "100444",
      "mode of private": "100600",
      "mode of change/folder": "41777",
      "links of hard/two": "2",
      "mtime of to-plain": "1000000001.000000000",
      "target of to-nothing": "nothing",
      "xattr user.color of marked": "4 blue",
      "xattr user.of-folder of folder": "3 yes",
      "size of sparse": "3145728",
      "device of a/very/deep is the root's": "1",
      "hard links are one inode": "1",
      "exec script": "ok 3",
      "exec program by its descriptor": "ok 7",
      "exec plain": "EACCES 0",
      "exec no-format": "ENOEXEC 0",
      "stat of a name too long": "ENAMETOOLONG",
      "open plain O_RDWR": "EROFS",
      "change chmod": "EROFS",
      "cp -r mode of template/plain": "100644",
      "statfs ST_RDONLY": "1",
    };
    expect(Object.fromEntries(await ask(reference))).toMatchObject(expected);
  });
});
