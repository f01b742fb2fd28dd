/**
 * Filters of system calls that kill, as service managers and sandboxes have them: what a start only
 * tries must not end it. It goes on as where a namespace is refused.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { end, LONG } from "../support/holders.ts";
import { leftovers, leftSince, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { ordinaryUser, type RunOptions, run } from "../support/process.ts";
import { compile } from "../support/process-state.ts";
import { asOrdinary, asRoot, checkOf, imageOf, runnerOf, setuidRoot } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

const needs = ["root", "gcc"] as const;
const check = skipUnless(...needs);
const { uid, gid } = ordinaryUser();

let refuse: string;
let file: string;
let image: string;
let zip: string;
beforeAll(async () => {
  refuse = compile("support/refuse-calls.c");
  file = await pack({ run: runArguments, "data/file": "packed\n" });
  image = await imageOf({ file: "packed\n" });
  zip = path.join(temporaryDirectory(), "z.zip");
  writeFileSync(zip, makeZip([{ name: "file", content: "packed\n" }]));
});

/** What systemd calls @mount. */
const ofMounts =
  "mount,umount2,pivot_root,chroot,move_mount,open_tree,fsopen,fsconfig,fsmount,mount_setattr";

/** As `who`, root or the ordinary user, where the calls are refused in this way. */
function under(
  by: string,
  calls: string,
  who: number,
  command: string[],
  options: RunOptions = {},
) {
  const env = {
    HOME: who ? userDirectory() : temporaryDirectory(),
    FUSELAGE_DEBUG: "1",
    FUSELAGE_MOUNT: undefined,
    REFUSE_BY: by,
    REFUSE_CALLS: calls,
    ...options.env,
  };
  return run(refuse, [`${who}`, `${who && gid}`, ...command], { ...options, env });
}

const cat = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];

describe.each([
  ["a user", uid],
  ["root", 0],
] as const)("as %s", (_, who) => {
  for (const [by, calls] of [
    ["kill", ofMounts],
    ["thread", ofMounts],
    ["trap", ofMounts],
    ["kill", "mount"],
    ["kill", "move_mount"],
    ["kill", "unshare"],
    ["kill", "setns"],
    ["kill", `unshare,setns,${ofMounts}`],
  ] as const) {
    check(`${by} for ${calls}: without a namespace`, async () => {
      const outcome = await under(by, calls, who, [file, ...cat]);
      expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
      // A helper that may mount, or else the disk.
      const way =
        calls.includes("mount,") || calls === "mount" ? "extract" : "(fusermount|extract)";
      expect(outcome.stderr).toMatch(new RegExp(`^fuselage: mounted by ${way} in .*\\n$`));
    });
  }

  check("also where FUSELAGE_MOUNT=extract asks for that", async () => {
    const env = { FUSELAGE_MOUNT: "extract" };
    const outcome = await under("kill", ofMounts, who, [file, ...cat], { env });
    expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
  });

  check("a strategy that is named is refused in words", async () => {
    for (const strategy of ["loop", "fuse"]) {
      const env = { FUSELAGE_MOUNT: strategy };
      const { status, stderr } = await under("kill", ofMounts, who, [file, "true"], { env });
      expect(status).toBe(125);
      expect(stderr).toMatch(/\[E_MOUNT_REFUSED\] .*a system call filter \(seccomp\) kills/);
    }
  });

  check("the doctor says so of each strategy that needs it", async () => {
    const command = [file, "--bundle-doctor", "--json"];
    const { status, stdout } = await under("kill", ofMounts, who, command);
    const findings = JSON.parse(stdout) as { strategy: string; works: boolean; reason?: string }[];
    const told = findings.filter(({ reason }) => reason?.includes("seccomp"));
    expect(told.map(({ strategy }) => strategy)).toContain("fuse");
    expect(findings.find(({ strategy }) => strategy === "extract")).toMatchObject({ works: true });
    expect(status).toBe(0);
  });

  check("a filter that forbids something else changes nothing", async () => {
    const { stdout, stderr } = await under("kill", "keyctl", who, [file, ...cat]);
    expect(stdout).toBe("packed\n");
    const quiet = await under("errno", "keyctl", who, [file, ...cat]);
    expect(stderr.split(" in ")[0]).toBe(quiet.stderr.split(" in ")[0]);
    expect(stderr).not.toContain("extract");
  });

  check("where a mount that is kept is found by a start under a filter", async () => {
    const home = who ? userDirectory() : temporaryDirectory();
    const env = { HOME: home, FUSELAGE_LINGER: LONG };
    for (const by of ["errno", "kill", "kill"]) {
      const calls = by === "kill" ? ofMounts : "keyctl";
      const outcome = await under(by, calls, who, [file, ...cat], { env });
      expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
    }
    await end(file);
  });
});

for (const way of [asRoot, asOrdinary, setuidRoot]) {
  checkOf(way, ...needs)(
    `the runner, ${way.title}: static archives go to disk, others are refused`,
    async () => {
      const who = way.root ? 0 : uid;
      const starts: [string[], number][] = [
        [["-s", `a:${image}`, "sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'], 0],
        [["-s", `a:${zip}`, "sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'], 0],
        [["-d", `a:${image}`, "true"], 125],
      ];
      for (const [args, expected] of starts) {
        const { status, stdout, stderr } = await under("kill", ofMounts, who, [
          runnerOf(way),
          ...args,
        ]);
        expect({ status, stdout, stderr }).toMatchObject({
          status: expected,
          stdout: expected ? "" : "packed\n",
          stderr: expect.stringMatching(
            expected ? /E_MOUNT_REFUSED.*read-only archives/ : /mounted/,
          ),
        });
      }
    },
  );
}

check("mounts of the host: refused in words, and nothing stays", async () => {
  const dir = temporaryDirectory();
  const before = leftovers();
  const { status, stderr } = await under("kill", ofMounts, 0, [
    runnerOf(asRoot),
    "--mount",
    image,
    dir,
  ]);
  expect(status).toBe(125);
  expect(stderr).toMatch(/\[E_MOUNT_REFUSED\] .*seccomp/);
  expect(await leftSince(before, { own: [dir, image] })).toEqual(nothing);
});
