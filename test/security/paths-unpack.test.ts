/**
 * Extraction by root in a folder of another user's, who exchanges the folder that is being filled
 * between its making and its opening. strace holds the program there, so that nothing is raced.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { appImage } from "../support/appimage.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, ordinaryUser } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "strace");
const { uid, gid } = ordinaryUser();

let app: string;
beforeAll(async () => {
  app = await appImage({ AppRun: "#!/bin/sh\n", "etc/passwd": "of the image\n" });
});

/** Each way to extract, into a folder "out" (or the one that it always takes). */
const ways: [string, () => string[], string][] = [
  ["--bundle-extract", () => [app, "--bundle-extract", "out"], "out"],
  ["--bundle-extract DIR/", () => [app, "--bundle-extract", "./out//"], "out"],
  ["--appimage-extract", () => [app, "--appimage-extract"], "squashfs-root"],
  ["bundle extract", () => [process.execPath, bundleCommand, "extract", app, "-d", "out"], "out"],
];

/** Seconds for which strace holds the program behind a mkdir. */
const HELD = 0.5;

/** Starts the command in `cwd` and does `exchange` to the first folder that it makes there. */
async function exchanged(command: string[], cwd: string, exchange: (made: string) => void) {
  const calls = "mkdir,mkdirat";
  const log = path.join(temporaryDirectory(), "log");
  const inject = `inject=${calls}:delay_exit=${HELD * 1e6}`;
  const args = ["-f", "-qq", "-o", log, "-e", `trace=${calls}`, "-e", inject, ...command];
  const before = new Set(readdirSync(cwd));
  const child: ChildProcess = spawn("strace", args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const closed = once(child, "close");
  let made: string | undefined;
  for (let i = 0; made === undefined && i < 5000; i++) {
    made = readdirSync(cwd).find((name) => !before.has(name));
    if (made === undefined) await sleep(2);
  }
  if (made === undefined) throw new Error(`nothing was made: ${stderr}`);
  exchange(path.join(cwd, made));
  const [status] = (await closed) as [number | null];
  return { status, stderr, made };
}

/** A folder of root's with a file in it, which nothing may change. */
function victim() {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "kept"), "kept\n");
  return dir;
}

function own(dir: string, mode = 0o755): string {
  mkdirSync(dir);
  chownSync(dir, uid, gid);
  chmodSync(dir, mode);
  return dir;
}

/** What its owner can put in the place of the folder `made`; returns what must stay as it is. */
const exchanges: [string, (made: string) => string][] = [
  [
    "a link to a folder of root's",
    (made) => {
      const dir = victim();
      renameSync(made, `${made}.away`);
      symlinkSync(dir, made);
      lchownSync(made, uid, gid);
      return dir;
    },
  ],
  [
    "a link to a folder of its own",
    (made) => {
      const dir = userDirectory();
      renameSync(made, `${made}.away`);
      symlinkSync(dir, made);
      lchownSync(made, uid, gid);
      return dir;
    },
  ],
  [
    "an empty folder of its own",
    (made) => {
      renameSync(made, `${made}.away`);
      return own(made, 0o700);
    },
  ],
  [
    "one of its own that everybody writes to",
    (made) => {
      renameSync(made, `${made}.away`);
      return own(made, 0o777);
    },
  ],
  [
    "what root has left in that folder",
    (made) => {
      renameSync(made, `${made}.away`);
      // A user may rename what is root's, in its own folder.
      renameSync(path.join(path.dirname(made), "roots"), made);
      return made;
    },
  ],
];

describe.each(ways)("%s in a user's folder", (_, command, target) => {
  for (const [title, exchange] of exchanges) {
    check(`writes nothing into ${title}`, async () => {
      const cwd = userDirectory();
      mkdirSync(path.join(cwd, "roots"), { mode: 0o700 });
      writeFileSync(path.join(cwd, "roots/kept"), "kept\n");
      let watched = "";
      let before: string[] = [];
      const { status, stderr } = await exchanged(command(), cwd, (made) => {
        watched = exchange(made);
        before = readdirSync(watched);
      });
      expect({ status, failed: stderr.includes("E_EXTRACT_FAILED") }).toEqual({
        status: expect.any(Number),
        failed: true,
      });
      expect(status).not.toBe(0);
      // An empty one may be gone: the name was ours.
      if (existsSync(watched)) expect(readdirSync(watched)).toEqual(before);
      else expect(before).toEqual([]);
      expect(existsSync(path.join(cwd, target))).toBe(false);
      // Nor into the one that was made, wherever that is now.
      for (const name of readdirSync(cwd).filter((each) => each.endsWith(".away"))) {
        expect(readdirSync(path.join(cwd, name))).toEqual([]);
      }
    });
  }

  check("comes through when nobody exchanges anything", async () => {
    const cwd = userDirectory();
    const { status, stderr } = await exchanged(command(), cwd, () => {});
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(readFileSync(path.join(cwd, target, "etc/passwd"), "utf8")).toBe("of the image\n");
    expect(readdirSync(cwd)).toEqual([target]);
  });
});

describe.each(ways)("%s, exchanged when it is open already", (_, command) => {
  check("fills the folder that it made, and removes no other", async () => {
    const cwd = userDirectory();
    const dir = victim();
    let made = "";
    // By the first folder of the image, the one that is filled is open.
    const watch = async () => {
      for (let i = 0; i < 5000; i++) {
        for (const name of readdirSync(cwd)) {
          const folder = path.join(cwd, name);
          if (made !== "" || !lstatSync(folder).isDirectory()) continue;
          if (!readdirSync(folder).includes("etc")) continue;
          made = folder;
          renameSync(folder, path.join(cwd, "away"));
          symlinkSync(dir, folder);
          lchownSync(folder, uid, gid);
          return;
        }
        await sleep(2);
      }
    };
    const [{ status }] = await Promise.all([exchanged(command(), cwd, () => {}), watch()]);
    expect(made).not.toBe("");
    expect(status).toEqual(expect.any(Number));
    expect(readdirSync(dir)).toEqual(["kept"]);
    expect(readFileSync(path.join(cwd, "away/etc/passwd"), "utf8")).toBe("of the image\n");
  });
});
