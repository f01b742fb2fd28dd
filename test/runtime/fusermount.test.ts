/**
 * Where user namespaces are refused: fusermount3 mounts on the host, in a directory of the user's
 * own, and nothing of it stays, however the app ends.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { leftovers, leftSince, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { ordinaryUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "fuse", "fusermount", "gcc");
let file: string;
let refuse: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
  refuse = path.join(temporaryDirectory(), "refuse-calls");
  execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
});

const { uid, gid } = ordinaryUser();
/** Runs the bundle as a user for whom unshare() is refused. */
const start = (home: string, args: string[], env: Record<string, string | undefined> = {}) =>
  run(refuse, [`${uid}`, `${gid}`, file, ...args], {
    env: { ...aloneIn(home), FUSELAGE_DEBUG: "1", ...env },
  });
const procdirs = (home: string) => path.join(home, ".fuselage/mounts");
const watch = (home: string) => ({ homes: [home], files: [file], own: [file, home] });

describe("by itself, when user namespaces are refused", () => {
  check("the app runs from a mount that only its user can see into", async () => {
    const home = userDirectory();
    const before = leftovers(watch(home));
    const script = 'cat "$FUSELAGE_BUNDLE_DIR/data/file"; stat -c %a "$FUSELAGE_TMPDIR/.."; exit 5';
    const { status, stdout, stderr } = await start(home, ["sh", "-c", script]);
    expect(stderr).toMatch(/^fuselage: mounted by fusermount/);
    expect({ status, stdout }).toEqual({ status: 5, stdout: "packed\n700\n" });
    expect(await leftSince(before, watch(home))).toEqual(nothing);
  });

  check(
    "after kill -9 of the app nothing is left, its files stay while they are used",
    async () => {
      const home = userDirectory();
      const before = leftovers(watch(home));
      const marker = path.join(home, "read-later");
      const script = `exec 3<&0; (cd "$FUSELAGE_BUNDLE_DIR/data"; echo up; read line <&3; cat file > ${marker}) & wait`;
      const child = spawn(refuse, [`${uid}`, `${gid}`, file, "sh", "-c", script], {
        env: { PATH: process.env["PATH"], FUSELAGE_LINGER: "0", ...aloneIn(home) },
        stdio: ["pipe", "pipe", "ignore"],
      });
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "exit");
      child.stdin.end();
      expect(await leftSince(before, watch(home))).toEqual(nothing);
      expect(readFileSync(marker, "utf8")).toBe("packed\n");
    },
  );

  check("what a killed janitor left is swept by the next start", async () => {
    const home = userDirectory();
    const before = leftovers(watch(home));
    // Its own one only: its first descriptor is the directory of the start.
    const script =
      "k=; until [ $k ]; do for p in $(pgrep -x fuselage-clean); do case $(readlink /proc/$p/fd/0) in */mounts/$$) kill -9 $p; k=y;; esac; done; done; echo $$";
    const args = ["sh", "-c", script];
    const { stdout } = await start(home, args, { FUSELAGE_LINGER: "0" });
    await sleep(100); // In which one that lives would have removed it.
    expect(readdirSync(procdirs(home))).toEqual([stdout.trim()]);
    await start(home, ["true"]);
    expect(await leftSince(before, watch(home))).toEqual(nothing);
  });

  check("a directory of a process that lives is not swept", async () => {
    const home = userDirectory();
    await start(home, ["true"]);
    const other = path.join(procdirs(home), `${process.pid}`);
    mkdirSync(other);
    writeFileSync(path.join(other, "kept"), "");
    await start(home, ["true"]);
    expect(existsSync(path.join(other, "kept"))).toBe(true);
  });

  check("without fusermount3 every strategy says why", async () => {
    const home = userDirectory();
    const bin = temporaryDirectory();
    // Nothing can be extracted either.
    const limited = ["/bin/sh", "-c", 'ulimit -f 0 && exec "$0" true', file];
    const { status, stdout, stderr } = await run(refuse, [`${uid}`, `${gid}`, ...limited], {
      env: { HOME: home, PATH: bin },
    });
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toMatch(/^ {2}loop: needs CAP_SYS_ADMIN/m);
    expect(stderr).toMatch(/^ {2}fuse: user namespace cannot be made \(refused by policy/m);
    expect(stderr).toMatch(/^ {2}fusermount: fusermount3 is not installed/m);
    expect(stderr).toMatch(/^ {2}extract: \/.*: File too large/m);
  });
});

describe("FUSELAGE_MOUNT=fusermount", () => {
  check("is taken where namespaces would do as well", async () => {
    const home = userDirectory();
    const env = { HOME: home, FUSELAGE_MOUNT: "fusermount", FUSELAGE_DEBUG: "1" };
    const { status, stderr } = await run(file, ["true"], { env, uid, gid });
    expect(stderr).toMatch(/^fuselage: mounted by fusermount/);
    expect(status).toBe(0);
  });

  check("says that the program is not there which FUSERMOUNT_PROG names", async () => {
    const env = { ...aloneIn(userDirectory()), FUSELAGE_MOUNT: "fusermount" };
    const named = { ...env, FUSERMOUNT_PROG: "/no/such/helper" };
    const { status, stdout, stderr } = await run(file, ["true"], { env: named, uid, gid });
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain("FUSERMOUNT_PROG names no program: /no/such/helper");
    expect(stderr).not.toContain("not installed");
    const unset = { ...env, FUSERMOUNT_PROG: "" };
    expect((await run(file, ["true"], { env: unset, uid, gid })).status).toBe(0);
  });
});
