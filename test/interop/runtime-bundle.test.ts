/** Bundles that crun and runc start, by both ways to hand over the image. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { pack } from "../../builder/api/pack.ts";
import { runtimePath } from "../../builder/host/paths.ts";
import { writeFiles } from "../support/case.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;

const source = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char line[4096], *where = getenv("FUSELAGE_BUNDLE_DIR");
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	printf("%d %d %s %s\\n", (int)getpid(), (int)getuid(), where ? where : "no folder", argc > 1 ? argv[1] : "");
	while (mounts && fgets(line, sizeof line, mounts))
		if (strstr(line, "fuselage") || strstr(line, "squashfs"))
			puts(strstr(line, " - ") + 3);
	return access("/opt/shown/written", W_OK) == 0 ? 1 : 7;
}
`;

beforeAll(async () => {
  dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  writeFiles(dir, { "shown/source.c": source, "shown/bin/none": "" });
  execFileSync("gcc", [
    "-static",
    "-O1",
    "-w",
    "-o",
    `${dir}/shown/bin/shown`,
    `${dir}/shown/source.c`,
  ]);
  await build({ input: `${dir}/shown`, output: `${dir}/shown.run`, args: ["given"] });
  for (const [place, uid] of [
    ["root", 0],
    ["user", 1000],
  ] as const) {
    mkdirSync(`${dir}/${place}`);
    chownSync(`${dir}/${place}`, uid, uid);
  }
  // crun knows no hierarchy of cgroups but version 2 alone: machines that have both get one for the test.
  writeFileSync(
    `${dir}/start`,
    'umount -R /sys/fs/cgroup 2>/dev/null\nmount -t cgroup2 none /sys/fs/cgroup && exec "$@"\n',
  );
});

const who = {
  root: [],
  user: ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"],
};

/** Runs a command in a mount namespace of its own, where only one sort of cgroup is. */
function inside(user: keyof typeof who, command: readonly string[]) {
  const home = `${dir}/${user}`;
  const env = ["env", `HOME=${home}`, `XDG_RUNTIME_DIR=${home}`, `TMPDIR=${home}`];
  return run("unshare", ["-m", "sh", `${dir}/start`, ...who[user], ...env, ...command]);
}

async function make(user: keyof typeof who, name: string, ...options: string[]): Promise<string> {
  const to = `${dir}/${user}/${name}`;
  const rootless = user === "user" ? ["--rootless"] : [];
  const args = ["export", `${dir}/shown.run`, "--runtime-bundle", to, ...rootless, ...options];
  const { status, stderr } = await inside(user, [process.execPath, bundleCommand, ...args]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return to;
}

/** Processes that have these words on their command line, and are no test's. */
function processesWith(words: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return /^\d+$/.test(pid) && line.startsWith("fuselage") && line.includes(words);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

describe("the hook", () => {
  const mount = (input: string, ...more: string[]) =>
    run(runtimePath("x86_64"), [`--mount=${dir}/shown.run`, "--container", ...more], { input });

  test.each([
    ["nothing", ""],
    ["no object", '"pid": 1'],
    [
      "a pid that is no key of its own",
      '{"annotations": {"pid": 1}, "id": "pid", "x\\": "pid": 1}',
    ],
    ["a cut string", '{"id": "x'],
    ["none that is one", '{"pid": 0}'],
  ])("refuses %s in place of a container", async (_, state) => {
    const refused = await mount(state, dir);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/E_USAGE.*--container: expected the state of a container/);
  });

  test("refuses a container that is not there, and a folder that is not in it", async () => {
    expect((await mount('{"pid": 4194304}', dir)).stderr).toContain("E_NAMESPACE");
    const state = JSON.stringify({ id: "x", annotations: { pid: 0 }, pid: process.pid });
    for (const place of [`${dir}/none`, "relative"]) {
      const refused = await mount(state, place);
      expect(refused.status).not.toBe(0);
    }
  });
});

const runtimes: Record<"crun" | "runc", string[]> = {
  crun: ["crun", "--cgroup-manager=disabled"],
  runc: ["runc"],
};

const needs: Need[] = ["root", "gcc", "fuse", "userns"];

for (const [name, command] of Object.entries(runtimes) as ["crun" | "runc", string[]][]) {
  for (const user of ["root", "user"] as const) {
    describe(`${name} as ${user}`, () => {
      const id = `fuselage-${name}-${user}-${process.pid}`;
      const shown = /^1 0 \/opt\/shown given\n(.*)\n\n?$/s;

      skipUnless(...needs, name)("by a mount that the runner has made around it", async () => {
        const bundle = await make(user, `around-${name}`);
        const runner = [
          runtimePath("x86_64"),
          `--static=/run/fuselage/shown:${dir}/shown.run`,
          "--",
        ];
        const started = await inside(user, [...runner, ...command, "run", "-b", bundle, id]);
        expect(started).toMatchObject({ status: 7, stdout: expect.stringMatching(shown) });
        const type = user === "root" ? "squashfs" : "fuse.fuselage";
        expect(started.stdout).toContain(type);
      });

      skipUnless(...needs, name)("by a hook that gives the container a mount", async () => {
        const bundle = await make(user, `hook-${name}`, "--hook");
        const started = await inside(user, [...command, "run", "-b", bundle, id]);
        expect(started).toMatchObject({ status: 7, stdout: expect.stringMatching(shown) });
        expect(started.stdout).toContain(user === "root" ? "squashfs" : "fuse.fuselage");
        expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir);
        expect(processesWith(`${dir}/shown.run`)).toEqual([]);
      });

      skipUnless(...needs, name)("not at all when the hook's image is none", async () => {
        const bundle = await make(user, `broken-${name}`, "--hook");
        const config = JSON.parse(readFileSync(`${bundle}/config.json`, "utf8"));
        const [[hook]] = Object.values(config.hooks) as [[{ args: string[] }]];
        hook.args[1] = "--mount=/etc/passwd";
        writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
        const started = await inside(user, [...command, "run", "-b", bundle, id]);
        expect(started.status).not.toBe(0);
        expect(started.stdout).toBe("");
      });
    });
  }
}

test("an image that is a root names who it is and what it lacks", async () => {
  const root = `${dir}/rootfs`;
  writeFiles(root, {
    "etc/passwd": "root:x:0:0:::\nweb:x:33:34:::\n",
    "etc/group": "root:x:0:\nweb:x:34:\nlogs:x:40:root,web\n",
    "bin/x": "",
  });
  const exported = (input: string, to: string, ...more: string[]) =>
    run(process.execPath, [
      bundleCommand,
      "export",
      input,
      "--runtime-bundle",
      `${dir}/${to}`,
      ...more,
    ]);
  await pack({ input: root, output: `${dir}/rootfs.sfs` });
  expect(await exported(`${dir}/rootfs.sfs`, "lacking")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/E_EXPORT_INPUT.*\/dev, \/proc, \/sys, \/tmp, \/run/),
  });
  for (const name of ["dev", "proc", "sys", "tmp", "run"]) mkdirSync(`${root}/${name}`);
  await pack({ input: root, output: `${dir}/rootfs.sfs` });
  expect(await exported(`${dir}/rootfs.sfs`, "whole")).toMatchObject({ status: 0 });
  const { root: at } = JSON.parse(readFileSync(`${dir}/whole/config.json`, "utf8"));
  expect(at).toEqual({ path: "/run/fuselage/rootfs", readonly: true });
  expect(await exported(`${dir}/rootfs.sfs`, "hooked", "--hook")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("E_EXPORT_INPUT"),
  });
});
