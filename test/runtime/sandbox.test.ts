/**
 * The sandboxes of the FUSE server and of the holder of a mount, by a driver that goes into one and
 * tries what a process taken over by a hostile image, or by who talks to it, would try: each attempt
 * ends in SIGSYS for that process alone, and nothing else that it needs does.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start } from "../support/packed.ts";
import { isRoot, run } from "../support/process.ts";
import { buildSandbox } from "../support/sanitized.ts";
import { userDirectory } from "../support/temporary.ts";

let sandbox: string;
beforeAll(async () => {
  sandbox = await buildSandbox();
});

const dead = { status: null, signal: "SIGSYS", stdout: "", stderr: "" };

test("what the server needs no system call for kills the process, and only it", async () => {
  const { stdout } = await run(sandbox, ["list"]);
  const [forbidden = [], needed = []] = stdout.split("\n\n").map((part) => part.trim().split("\n"));
  expect(forbidden.length).toBeGreaterThan(10);
  for (const what of forbidden) {
    expect({ what, ...(await run(sandbox, [what])) }).toEqual({ what, ...dead });
  }
  for (const what of needed) {
    const outcome = await run(sandbox, [what]);
    expect({ what, ...outcome }).toEqual({
      what,
      status: 0,
      signal: null,
      stdout: "done\n",
      stderr: "",
    });
  }
});

test("so does what the holder of a mount needs none for", async () => {
  const { stdout } = await run(sandbox, ["holder", "list"]);
  const [forbidden = [], needed = []] = stdout.split("\n\n").map((part) => part.trim().split("\n"));
  expect([forbidden.length, needed.length]).toEqual([25, 3]);
  for (const what of forbidden) {
    expect({ what, ...(await run(sandbox, ["holder", what])) }).toEqual({ what, ...dead });
  }
  for (const what of needed) {
    expect({ what, ...(await run(sandbox, ["holder", what])) }).toMatchObject({ what, status: 0 });
  }
});

test("no rights are left besides", async () => {
  const { stdout } = await run(sandbox, ["walls"]);
  const walls = Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/:\s+/) as [string, string]),
  );
  const none = "0000000000000000";
  expect(walls).toMatchObject({
    dumpable: "0",
    core: "0",
    "file size": "0",
    descriptors: "16",
    CapInh: none,
    CapPrm: none,
    CapEff: none,
    CapAmb: none,
    NoNewPrivs: "1",
  });
  if (isRoot) expect(walls["CapBnd"]).toBe(none);
  // Landlock is from Linux 5.13, and may be off.
  expect(["Permission denied", "allowed"]).toContain(walls["open"]);
});

skipUnless("fuse", "userns")("a running server is in it", async () => {
  const file = await pack({ run: runArguments }, { name: "sandboxed" });
  const script = String.raw`
    for dir in /proc/[0-9]*; do
      grep -q '^Name:.fuselage-fuse$' $dir/status && grep -qz "^$FUSELAGE_BUNDLE$" $dir/cmdline &&
        grep -E '^(NoNewPrivs|Seccomp|CapEff):' $dir/status
    done 2>/dev/null`;
  const way = { strategy: "fuse", root: false } as const;
  const { stdout } = await start(way, file, ["sh", "-c", script], userDirectory());
  expect(stdout).toBe("CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
});

describe("FUSELAGE_FUSE", () => {
  const check = skipUnless("fuse", "userns");
  const way = { strategy: "fuse", root: false } as const;
  const run = async (value: string) => {
    const file = await pack({ run: "#!/bin/sh\necho ran\n" });
    return start(way, file, [], userDirectory(), { env: { FUSELAGE_FUSE: value } });
  };

  check("cache=SIZE is taken", async () => {
    for (const value of ["", "cache=1M", "cache=1048576", "cache=64M", "cache=2G"]) {
      expect({ value, ...(await run(value)) }).toMatchObject({ value, status: 0, stdout: "ran\n" });
    }
  });

  check("anything else is an error that names it", async () => {
    for (const value of [
      "cash=1M",
      "cache",
      "cache=",
      "cache=1",
      "cache=1MB",
      "cache=-5M",
      "x,cache=1M",
      "cache=99999999999999999999G",
    ]) {
      expect({ value, ...(await run(value)) }).toMatchObject({
        value,
        status: 125,
        stdout: "",
        stderr: expect.stringContaining("[E_FUSE_OPTION] FUSELAGE_FUSE"),
      });
    }
  });
});
