/** Which libc starts a program, on machines whose own is new enough, too old or missing. */
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { zigEnv, zigPath } from "../../scripts/build/zig.mjs";
import { debianFiles } from "../../scripts/debian.mjs";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, ordinaryUser, run } from "../support/process.ts";
import { type OtherRoot, otherRoot, type RootName } from "../support/roots.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const needs = ["root", "gcc", "fuse", "userns", "debian"] as const;

/** Says where the function came from that it says it with. */
const source = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
	Dl_info found = { 0 };
	dladdr((void *)&fopen, &found);
	return puts(found.dli_fname ? found.dli_fname : "nowhere") < 0;
}
`;

let dir = "";
const roots = new Map<RootName, OtherRoot>();
const built = async (...args: string[]) => {
  const outcome = await bundle(["build", ...args], { cwd: dir });
  expect(outcome).toMatchObject({ status: 0 });
  return outcome;
};

beforeAll(async () => {
  if (needs.some((need) => missing(need) !== undefined)) return;
  dir = temporaryDirectory();
  writeFileSync(path.join(dir, "where.c"), source);
  execFileSync("gcc", ["-o", "where", "where.c", "-ldl"], { cwd: dir });
  await built("where", "-o", "where.run");
  await built("where", "-o", "pack.run", "--libc", "pack");
  for (const name of ["nothing", "debian-11", "same"] as const) {
    const there = otherRoot(dir, name);
    for (const file of ["where.run", "pack.run"]) there.add(path.join(dir, file), `/${file}`);
    roots.set(name, there);
  }
}, 300_000);

const start = (name: RootName, file: string, env = {}, args: string[] = []) =>
  (roots.get(name) as OtherRoot).start(file, ordinaryUser().uid, args, env);

const packed = /^\/.*\/static\/where\/lib\/libc\/libc\.so\.6\n$/;
const host = /^\/lib\/x86_64-linux-gnu\/libc\.so\.6\n$/;

describe("a program is started by", () => {
  const cases: [string, RootName, string, Record<string, string>, RegExp][] = [
    ["the host's libc where it is new enough", "same", "/where.run", {}, host],
    ["the packed one where it is too old", "debian-11", "/where.run", {}, packed],
    ["the packed one where there is none", "nothing", "/where.run", {}, packed],
    ["the packed one where it always is", "same", "/pack.run", {}, packed],
    ["the packed one when asked", "same", "/where.run", { FUSELAGE_LIBC: "packed" }, packed],
    ["the host's when asked", "same", "/pack.run", { FUSELAGE_LIBC: "host" }, host],
  ];
  for (const [what, name, file, env, libc] of cases) {
    skipUnless(...needs)(what, async () => {
      expect(await start(name, file, env)).toMatchObject({
        stdout: expect.stringMatching(libc),
        stderr: "",
        status: 0,
      });
    });
  }

  skipUnless(...needs)("nothing by a word that means none, and by none as ever", async () => {
    for (const word of ["nope", "hosts", "Packed", " auto", "p"]) {
      const { status, stdout, stderr } = await start("same", "/where.run", { FUSELAGE_LIBC: word });
      expect([status, stdout]).toEqual([127, ""]);
      expect(stderr).toBe(
        `fuselage: [E_VARIABLE] expected FUSELAGE_LIBC=auto, host or packed, found ${word}\n  Set it to what the text expects, or leave it out.\n`,
      );
    }
    const unset = await start("same", "/pack.run", { FUSELAGE_LIBC: "" });
    expect(unset).toMatchObject({ status: 0, stdout: expect.stringMatching(packed), stderr: "" });
  });

  skipUnless(...needs)("nothing where the host's is asked for and is not there", async () => {
    const { status, stderr } = await start("nothing", "/where.run", { FUSELAGE_LIBC: "host" });
    expect(status).toBe(127);
    expect(stderr).toMatch(/\/lib64\/ld-linux-x86-64\.so\.2/);
  });
});

describe("the doctor says", () => {
  const cases: [string, RootName, string, Record<string, string>, RegExp][] = [
    [
      "that the host's is new enough",
      "same",
      "/where.run",
      {},
      /^libc {8}the host's: \/lib\/x86_64-linux-gnu\/libc\.so\.6 has GLIBC_2\.\d+, the app needs GLIBC_2\.\d+$/m,
    ],
    [
      "that the host's is too old",
      "debian-11",
      "/where.run",
      {},
      /^libc {8}the packed glibc 2\.\d+: \/lib\/.*\/libc\.so\.6 has GLIBC_2\.3[01], the app needs GLIBC_2\.\d+$/m,
    ],
    [
      "that there is none",
      "nothing",
      "/where.run",
      {},
      /^libc {8}the packed glibc 2\.\d+: the host has none for \/lib64\/ld-linux-x86-64\.so\.2$/m,
    ],
    [
      "how it was built",
      "same",
      "/pack.run",
      {},
      /^libc {8}the packed glibc 2\.\d+, on every machine$/m,
    ],
    [
      "what a variable forces",
      "same",
      "/where.run",
      { FUSELAGE_LIBC: "packed" },
      /^libc {8}the packed glibc 2\.\d+, by FUSELAGE_LIBC$/m,
    ],
    [
      "that a word means none",
      "same",
      "/where.run",
      { FUSELAGE_LIBC: "hosts" },
      /^libc {8}none: expected FUSELAGE_LIBC=auto, host or packed$/m,
    ],
    [
      "what it forces too",
      "nothing",
      "/pack.run",
      { FUSELAGE_LIBC: "host" },
      /^libc {8}the host's, by/m,
    ],
    [
      "that a preload is not for the packed one",
      "nothing",
      "/where.run",
      { LD_PRELOAD: "/lib/libown.so" },
      /^ {14}what LD_PRELOAD names is for the host's libc/m,
    ],
  ];
  for (const [what, name, file, env, line] of cases) {
    skipUnless(...needs)(what, async () => {
      const { stdout } = await start(name, file, env, ["--bundle-doctor"]);
      expect(stdout).toMatch(line);
    });
  }
});

skipUnless(...needs)("a preload for another libc does not keep an app from starting", async () => {
  const outcome = await start("nothing", "/where.run", { LD_PRELOAD: "/lib/libnone.so" });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
});

skipUnless(...needs)("two builds have the same bytes, and say which libc is in them", async () => {
  await built("where", "-o", "again.run");
  const bytes = (name: string) => readFileSync(path.join(dir, name));
  expect(bytes("again.run").equals(bytes("where.run"))).toBe(true);
  const { stdout } = await bundle(["inspect", "where.run", "--json"], { cwd: dir });
  const [libc, ...more] = JSON.parse(stdout).manifest.libc;
  expect(more).toEqual([]);
  expect(libc).toMatchObject({
    kind: "glibc",
    mode: "auto",
    loader: "/lib64/ld-linux-x86-64.so.2",
  });
  const file = execFileSync("gcc", ["-print-file-name=libc.so.6"], { encoding: "utf8" }).trim();
  expect(await run("sha256sum", [file])).toMatchObject({
    stdout: expect.stringContaining(libc.sha256),
  });
  const info = await run(path.join(dir, "where.run"), ["--bundle-info"]);
  expect(info.stdout).toContain(`sha256 ${libc.sha256}`);
  expect(await bundle(["check", "where.run"], { cwd: dir })).toMatchObject({ status: 0 });
});

skipUnless(...needs)("what a packed libc would not find is said", async () => {
  const opens =
    'const char *name = "libnowhere.so.7";\nint main(void) { return !dlopen(name, 1); }\n';
  writeFileSync(path.join(dir, "opens.c"), `#include <dlfcn.h>\n${opens}`);
  execFileSync("gcc", ["-o", "opens", "opens.c", "-ldl"], { cwd: dir });
  const warned = async (mode: string) =>
    (await built("opens", "-o", `opens-${mode}.run`, "--libc", mode)).stderr;
  const line = /bin\/opens may open libnowhere\.so\.7 itself, which the target must have then/;
  expect(await warned("auto")).toMatch(
    new RegExp(`${line.source}; a packed libc does not find it there \\[W_LIBRARY_OPENED\\]`),
  );
  expect(await warned("host")).toMatch(new RegExp(`${line.source} \\[W_LIBRARY_OPENED\\]`));
});

skipUnless(...needs)("a build that leaves it to the host changes nothing", async () => {
  await built("where", "-o", "host.run", "--libc", "host");
  await bundle(["extract", "host.run", "-d", "host"], { cwd: dir });
  const bytes = (name: string) => readFileSync(path.join(dir, name));
  expect(bytes("host/bin/where").equals(bytes("where"))).toBe(true);
  const { stdout } = await bundle(["inspect", "host.run", "--list", "--json"], { cwd: dir });
  const { manifest, entries } = JSON.parse(stdout);
  expect(manifest.libc).toBeUndefined();
  expect(entries.map(({ path }: { path: string }) => path)).toEqual(["", "bin", "bin/where"]);
});

skipUnless(...needs)(
  "programs find it from every depth, wherever the folder is moved",
  async () => {
    mkdirSync(path.join(dir, "app/bin"), { recursive: true });
    mkdirSync(path.join(dir, "app/deep/er"), { recursive: true });
    for (const name of ["app/bin/app", "app/deep/er/one", "app/top"])
      linkSync(path.join(dir, "where"), path.join(dir, name));
    await built("app", "-o", "app.run");
    await bundle(["extract", "app.run", "-d", "out"], { cwd: dir });
    renameSync(path.join(dir, "out"), path.join(dir, "moved to here"));
    for (const name of ["bin/app", "deep/er/one", "top"]) {
      const file = path.join(dir, "moved to here", name);
      const { stdout } = await run(file, [], { env: { FUSELAGE_LIBC: "packed" } });
      expect(stdout).toBe(`${path.join(dir, "moved to here/lib/libc/libc.so.6")}\n`);
    }
    // As it was packed it is packed again.
    await built("moved to here", "-o", "second.run", "--entry", "bin/app");
    expect((await bundle(["check", "second.run"], { cwd: dir })).stdout).toMatch(
      /all that it names/,
    );
  },
);

skipUnless(...needs, "musl")("a program of musl has musl with it", async () => {
  writeFileSync(
    path.join(dir, "small.c"),
    '#include <stdio.h>\nint main(void) { return puts("small") < 0; }\n',
  );
  execFileSync("x86_64-linux-musl-gcc", ["-o", "small", "small.c"], { cwd: dir });
  await built("small", "-o", "small.run", "--sysroot", debianFiles("bookworm", ["musl"]));
  const there = roots.get("nothing") as OtherRoot;
  there.add(path.join(dir, "small.run"), "/small.run");
  for (const uid of [0, ordinaryUser().uid]) {
    expect(await there.start("/small.run", uid)).toMatchObject({ stdout: "small\n", stderr: "" });
  }
  const { stdout } = await there.start("/small.run", 0, ["--bundle-doctor"]);
  expect(stdout).toMatch(/^libc {8}the packed musl 1\.2\.\d+, on every machine$/m);
});

/** By the linker that is here in any case, which makes programs for every machine. */
function linkForArm64(object: string, output: string) {
  const lib = "/usr/aarch64-linux-gnu/lib";
  const loader = "ld-linux-aarch64.so.1";
  const start = ["Scrt1.o", "crti.o"].map((file) => `${lib}/${file}`);
  const libc = [`${lib}/libc.so.6`, `${lib}/${loader}`, `${lib}/crtn.o`];
  const how = ["ld.lld", "-m", "aarch64linux", "-pie", `-dynamic-linker=/lib/${loader}`];
  const options = { cwd: dir, env: zigEnv() };
  execFileSync(zigPath(), [...how, ...start, object, ...libc, "-o", output], options);
}

skipUnless(
  ...needs,
  "qemu",
  "arm64",
)("a program of another machine has the libc of a sysroot", async () => {
  const include = ["-nostdlibinc", "-isystem", "/usr/aarch64-linux-gnu/include"];
  const compile = ["--target=aarch64-linux-gnu", ...include, "-fPIE", "-c", "where.c"];
  execFileSync("clang-19", [...compile, "-o", "other.o"], { cwd: dir });
  linkForArm64("other.o", "other");
  const machine = ["--arch", "aarch64"];
  const sysroot = debianFiles("bookworm", ["libc6", "libgcc-s1"], "arm64");
  const { stderr } = await bundle(["build", "other", "-o", "o.run", ...machine, "--libc", "pack"], {
    cwd: dir,
  });
  expect(stderr).toMatch(/\[E_LIBC_MISSING\] .*there is no glibc for aarch64 to pack/);
  await built("other", "-o", "other.run", ...machine, "--sysroot", sysroot);
  await bundle(["extract", "other.run", "-d", "other-app"], { cwd: dir });
  const program = path.join(dir, "other-app/bin/other");
  expect(await run("qemu-aarch64-static", [program])).toMatchObject({
    stdout: `${path.join(dir, "other-app/lib/libc/libc.so.6")}\n`,
    stderr: "",
  });
});
