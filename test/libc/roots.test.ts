/**
 * Apps with a packed libc on machines that have none, another one or an old one: each way to make an image
 * visible, as root and as an ordinary user.
 */
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, root as checkout, ordinaryUser } from "../support/process.ts";
import { HOST, type OtherRoot, otherRoot, type RootName } from "../support/roots.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const here = import.meta.dirname;
const needs = ["root", "gcc", "fuse", "userns", "loop", "debian"] as const;

const who = { "as root": 0, "as a user": ordinaryUser().uid };
const strategies = [
  ["nothing", "as root", ["loop", "fuse", "extract"]],
  ["nothing", "as a user", ["fuse", "extract"]],
  ["musl", "as root", ["loop", "fuse", "extract"]],
  ["musl", "as a user", ["fuse", "extract"]],
  ["debian-11", "as root", ["loop", "fuse", "extract"]],
  ["debian-11", "as a user", ["fuse", "fusermount", "extract"]],
  ["nixos", "as root", ["loop", "fuse", "extract"]],
  ["nixos", "as a user", ["fuse", "extract"]],
] as const satisfies [RootName, keyof typeof who, string[]][];

const cases = strategies.flatMap(([name, user, types]) =>
  types.map((type) => ({ name, user, type, uid: who[user] })),
);

let dir = "";
const roots = new Map<RootName, OtherRoot>();

const gcc = (...args: string[]) => execFileSync("g++", args, { cwd: dir });

async function build(...args: string[]): Promise<void> {
  const options = { cwd: dir, timeout: 240_000 };
  const outcome = await bundle(["build", ...args, "--compression", "zstd:1"], options);
  expect(outcome).toMatchObject({ status: 0 });
}

async function makeProbe(): Promise<void> {
  const source = (name: string) => path.join(here, name);
  gcc(
    "-shared",
    "-fPIC",
    "-Wl,-soname,libshout.so.2",
    "-o",
    "libshout.so.2",
    source("probe_library.cc"),
  );
  gcc(source("probe.cc"), "libshout.so.2", "-pthread", `-Wl,-rpath,${dir}`, "-o", "probe");
  await build("probe", "--with-libs", "-o", "probe.run");
}

async function makeNodeApp(): Promise<void> {
  cpSync(path.join(here, "app"), path.join(dir, "app"), { recursive: true });
  execFileSync(
    "gcc",
    ["-shared", "-fPIC", "-Wl,-soname,libhalf.so", "-xc", "-", "-o", "libhalf.so"],
    {
      cwd: dir,
      input: "int half(void) { return 21; }\n",
    },
  );
  const include = path.join(checkout, "node_modules/node-api-headers/include");
  const flags = ["-shared", "-fPIC", "-I", include, `-Wl,-rpath,${dir}`];
  const addon = path.join(here, "probe_addon.c");
  execFileSync("gcc", [...flags, "-o", "app/probe.node", addon, "libhalf.so"], { cwd: dir });
  await build("app", "-o", "app.run");
  await build(path.join(checkout, "examples/almanac"), "-o", "almanac.run");
}

beforeAll(async () => {
  if (needs.some((need) => missing(need) !== undefined)) return;
  dir = temporaryDirectory();
  await makeProbe();
  await makeNodeApp();
  for (const [name] of strategies) {
    if (roots.has(name)) continue;
    const there = otherRoot(dir, name);
    for (const file of ["probe.run", "app.run", "almanac.run"])
      there.add(path.join(dir, file), `/${file}`);
    roots.set(name, there);
  }
}, 600_000);

async function start(file: string, given: (typeof cases)[number], args: readonly string[] = []) {
  const there = roots.get(given.name) as OtherRoot;
  const env = { FUSELAGE_MOUNT: given.type };
  const outcome = await there.start(file, given.uid, args, env);
  expect(outcome).toMatchObject({ stderr: "", status: 0 });
  return { ...outcome, shell: there.shell };
}

describe.each(cases)("$name, $user, by $type", (given) => {
  skipUnless(...needs)("a C++ program has its libc, and all that this opens", async () => {
    const { stdout, shell } = await start("/probe.run", given, [HOST.name]);
    const found = JSON.parse(stdout) as Record<string, string>;
    expect(found).toEqual({
      self: expect.stringMatching(/\/bin\/probe$/),
      argv0: expect.stringMatching(/probe/),
      execfn: found["self"],
      libc: found["self"]?.replace(/bin\/probe$/, "lib/libc/libc.so.6"),
      shouted: "hello!",
      caught: "nothing to shout",
      host: HOST.address,
      user: given.uid === 0 ? "root" : "somebody",
      latin1: "ä",
      japanese: "no converter",
      charset: "UTF-8",
      shell: shell ? "42" : "",
      letters: 1,
      thread: 7,
      frames: expect.toSatisfy((count: number) => count > 2),
      child: 42,
      leaks: false,
    });
  });

  skipUnless(...needs)("a Node app with an addon has all of Node", async () => {
    const { stdout, shell } = await start("/app.run", given, [HOST.name]);
    const found = JSON.parse(stdout) as Record<string, string>;
    const top = found["name"]?.replace(/node\/bin\/node$/, "");
    expect(found).toEqual({
      self: true,
      name: expect.stringMatching(/\/node\/bin\/node$/),
      forked: [found["name"]],
      clustered: "yes",
      threaded: "threaded",
      shell: shell ? "42" : "ENOENT",
      host: HOST.address,
      text: "1.234,5ä",
      stack: expect.stringMatching(/^main\.js:\d+:\d+\)?$/),
      addon: 42,
      libc: [`${top}lib/libc/libc.so.6`],
      leaks: [],
    });
  });

  skipUnless(...needs)("the example of the documentation runs", async () => {
    expect((await start("/almanac.run", given)).stdout).toMatch(/^\w+day, day \d+ of \d{4}: .+\n$/);
  });
});
