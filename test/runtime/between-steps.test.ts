/** Starts that are held up between two of their steps, while another start does all of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, ways } from "../support/packed.ts";
import { asUser, ordinaryUser, run } from "../support/process.ts";
import { startsOf } from "../support/start.ts";
import { stopBehind } from "../support/stopped.ts";
import { userDirectory } from "../support/temporary.ts";

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
});

const show = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
const shown = { status: 0, signal: null, stdout: "packed\n", stderr: "" };

describe.each(ways.filter(({ root, strategy }) => !root && strategy !== "fusermount"))(
  "the folder of starts at home, $title",
  (way) => {
    const check = skipUnless("root", "strace", ...way.needs);
    /** Has its directories at home, where others leave a link. */
    const at = (home: string, forced: boolean) => ({
      HOME: home,
      FUSELAGE_HOME: forced ? path.join(home, ".fuselage") : undefined,
      FUSELAGE_MOUNT: way.strategy,
      FUSELAGE_LINGER: "0",
    });
    const link = (home: string) => path.join(home, ".fuselage/procdirs");
    const elsewhere = startsOf({ root: false });

    check("stays for those whose mounts are on it", async () => {
      const home = userDirectory();
      const script = `echo up; read line; ${show[2]}`;
      const child = spawn(file, ["sh", "-c", script], {
        ...ordinaryUser(),
        env: { ...process.env, ...at(home, true) },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const ended = once(child, "close");
      let stdout = "";
      let stderr = "";
      child.stderr.on("data", (part) => (stderr += part));
      child.stdout.on("data", (part) => (stdout += part));
      await once(child.stdout, "data");
      expect(await asUser(file, show, home, { env: at(home, false) })).toEqual(shown);
      child.stdin.end("go on\n");
      expect([...(await ended), stdout, stderr]).toEqual([0, null, "up\npacked\n", ""]);
    });

    check("is made where another start leaves its link again and again", async () => {
      const home = userDirectory();
      expect(await asUser(file, show, home, { env: at(home, false) })).toEqual(shown);
      const held = await stopBehind("/^unlink", link(home), [file, ...show], {
        ...ordinaryUser(),
        env: at(home, true),
      });
      expect(() => lstatSync(link(home))).toThrow("ENOENT");
      symlinkSync(elsewhere, link(home));
      expect(await held.goOn()).toEqual(shown);
      expect(lstatSync(link(home)).isDirectory()).toBe(true);
    });
  },
);

describe("the directory of a start on the host", () => {
  const check = skipUnless("root", "fuse", "fusermount", "strace");
  const alone = (home: string) => ({
    HOME: home,
    FUSELAGE_HOME: path.join(home, ".fuselage"),
    FUSELAGE_LINGER: "0",
    // Where that way fails another one is taken.
    FUSELAGE_DEBUG: "1",
  });
  const shownByHelper = {
    ...shown,
    stderr: expect.stringMatching(/^fuselage: mounted by fusermount in .*\n$/),
  };
  /** In another pid namespace, where those of this one are nobody; it ends when only `held` is left of all starts. */
  const startInside = (home: string, held: number) => {
    const { uid, gid } = ordinaryUser();
    const who = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    const script = '"$@"; s=$?; while ls "$0" | grep -qvx "$held"; do sleep 0.05; done; exit $s';
    const command = [
      "sh",
      "-c",
      script,
      path.join(home, ".fuselage/mounts"),
      ...who,
      file,
      ...show,
    ];
    const env = { ...alone(home), held: `${held}` };
    return run("unshare", ["--pid", "--fork", ...command], { env });
  };

  for (const [title, call, when] of [
    ["before it is opened", "/^mkdir", 1],
    ["before it is locked", "/^open", 2], // behind the folder that it is in
  ] as const) {
    check(`is made again when somebody sweeps ${title}`, async () => {
      const home = userDirectory();
      // Makes the place of such directories.
      expect(await asUser(file, show, home, { env: alone(home) })).toEqual(shownByHelper);
      const mounts = path.join(home, ".fuselage/mounts");
      await expect.poll(() => readdirSync(mounts)).toEqual([]);
      const held = await stopBehind(call, mounts, [file, ...show], {
        ...ordinaryUser(),
        env: alone(home),
        when,
      });
      expect(readdirSync(mounts)).toEqual([`${held.pid}`]);
      expect(await startInside(home, held.pid)).toEqual(shownByHelper);
      expect(readdirSync(mounts)).toEqual([]);
      expect(await held.goOn()).toEqual(shownByHelper);
      await expect.poll(() => readdirSync(mounts)).toEqual([]);
    });
  }

  check("is made once, whoever sweeps what was there before", async () => {
    const home = userDirectory();
    expect(await asUser(file, show, home, { env: alone(home) })).toEqual(shownByHelper);
    const mounts = path.join(home, ".fuselage/mounts");
    await expect.poll(() => readdirSync(mounts)).toEqual([]);
    // Of a process that is there no more.
    const dead = path.join(mounts, "4194305");
    const make = (name: string) => run("mkdir", [name], ordinaryUser());
    await make(dead);
    // One that sweeps has found that nobody has it; then it is another start's.
    const held = await stopBehind("/^open", dead, [file, ...show], {
      ...ordinaryUser(),
      env: alone(home),
    });
    rmSync(dead, { recursive: true });
    await make(dead);
    await make(path.join(dead, "tmp"));
    expect(await held.goOn()).toEqual(shownByHelper);
    expect(readdirSync(dead)).toEqual(["tmp"]);
  });
});
