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
import { errnoCode } from "../../builder/errors.ts";
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

/** Milliseconds for which strace holds the program behind a mkdir. */
let held = 500;

/** The program was not held any more, or was over: what came of it shows nothing. */
class TooLate extends Error {}

/** Tries again what was too late, and holds the program longer then. */
async function inTime(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TooLate)) throw error;
      held *= 2;
    }
  }
}

/** Starts the command in `cwd` and does `exchange` to the first folder that it makes there. */
async function exchanged(command: string[], cwd: string, exchange: (made: string) => void) {
  const calls = "mkdir,mkdirat";
  const log = path.join(temporaryDirectory(), "log");
  const inject = `inject=${calls}:delay_exit=${held * 1000}`;
  const args = ["-f", "-qq", "-o", log, "-e", `trace=${calls}`, "-e", inject, ...command];
  const before = new Set(readdirSync(cwd));
  const child: ChildProcess = spawn("strace", args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const closed = once(child, "close");
  let made: string | undefined;
  let looked = 0;
  while (made === undefined && child.exitCode === null) {
    looked = performance.now();
    made = readdirSync(cwd).find((name) => !before.has(name));
    if (made === undefined) await sleep(2);
  }
  if (made === undefined) throw new Error(`nothing was made: ${stderr}`);
  let isLate = false;
  try {
    exchange(path.join(cwd, made));
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
    isLate = true; // It has another name by now.
  }
  isLate ||= performance.now() > looked + held;
  const [status] = (await closed) as [number | null];
  if (isLate) throw new TooLate();
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
    const attempt = async () => {
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
    };
    check(`writes nothing into ${title}`, () => inTime(attempt));
  }

  const undisturbed = async () => {
    const cwd = userDirectory();
    const { status, stderr } = await exchanged(command(), cwd, () => {});
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(readFileSync(path.join(cwd, target, "etc/passwd"), "utf8")).toBe("of the image\n");
    expect(readdirSync(cwd)).toEqual([target]);
  };
  check("comes through when nobody exchanges anything", () => inTime(undisturbed));
});

describe.each(ways)("%s, exchanged when it is open already", (_, command) => {
  const attempt = async () => {
    const cwd = userDirectory();
    const dir = victim();
    let made = "";
    let isOver = false;
    // By the first folder of the image, the one that is filled is open.
    const watch = async () => {
      while (!isOver) {
        for (const name of readdirSync(cwd)) {
          const folder = path.join(cwd, name);
          try {
            if (!readdirSync(folder).includes("etc")) continue;
            renameSync(folder, path.join(cwd, "away"));
          } catch {
            continue; // It is no folder, or has another name by now.
          }
          made = folder;
          symlinkSync(dir, folder);
          lchownSync(folder, uid, gid);
          return;
        }
        await sleep(2);
      }
    };
    const watching = watch();
    const { status } = await exchanged(command(), cwd, () => {}).finally(() => {
      isOver = true;
    });
    await watching;
    if (made === "") throw new TooLate();
    expect(status).toEqual(expect.any(Number));
    expect(readdirSync(dir)).toEqual(["kept"]);
    expect(readFileSync(path.join(cwd, "away/etc/passwd"), "utf8")).toBe("of the image\n");
  };
  check("fills the folder that it made, and removes no other", () => inTime(attempt));
});
