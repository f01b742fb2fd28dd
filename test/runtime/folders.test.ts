/**
 * A start leaves the current folder as it is, whatever that is: one that the caller may not enter again, as
 * `sudo -u other` does in /root, or that is not there any more.
 */
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { type Need, skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { asRoot, imageOf, runnerOf, setuidRoot } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const { uid, gid } = ordinaryUser();
const drop = `exec setpriv --reuid ${uid} --regid ${gid} --clear-groups`;
/** What the kernel says of the folder, and whether a name in it can be looked up. */
const look = "readlink /proc/self/cwd; cat there 2>&1; true";
const app = { run: `#!/bin/sh\ncat "$FUSELAGE_BUNDLE_DIR/data"; ${look}\n`, data: "packed\n" };

let bundle: string;
let writable: string;
let appImage: string;
let image: string;
beforeAll(async () => {
  bundle = await pack(app);
  writable = await pack(app, { writable: true });
  const own = { run: app.run.replace("FUSELAGE_BUNDLE_DIR", "APPDIR"), data: app.data };
  appImage = path.join(temporaryDirectory(), "App.AppImage");
  await pack(own, { output: appImage });
  image = await imageOf({ data: "packed\n" });
});

/** Scripts of root's that go to a folder and become the caller. */
const folders: [title: string, script: string][] = [
  ["of root alone", `mkdir -m 700 d && cd d && echo x > there && ${drop} "$@"`],
  [
    "below one that may not be searched",
    `mkdir -p d/in && chmod 700 d && cd d/in && echo x > there && ${drop} "$@"`,
  ],
  [
    "of another user",
    `mkdir -m 700 d && cd d && echo x > there && chown -R 33:33 . && ${drop} "$@"`,
  ],
  ["that nobody may enter", `mkdir d && cd d && chown ${uid} . && chmod 0 . && ${drop} "$@"`],
  ["that was removed", `mkdir d && cd d && rmdir ../d && ${drop} "$@"`],
  [
    "that was unmounted",
    `mkdir d && mount -t tmpfs none d && cd d && echo x > there && umount -l ../d && ${drop} "$@"`,
  ],
  [
    "of the user, for a root without rights over files",
    `mkdir -m 700 d && chown ${uid} d && cd d && exec setpriv --bounding-set -dac_override,-dac_read_search --inh-caps -dac_override,-dac_read_search "$@"`,
  ],
];

const shell = (place: string) => ["sh", "-c", `cat "$${place}/a/data"; ${look}`];
const starts: [
  title: string,
  command: () => string[],
  env: Record<string, string>,
  needs: Need[],
][] = [
  ["a bundle by fuse", () => [bundle], { FUSELAGE_MOUNT: "fuse" }, ["fuse"]],
  ["a bundle by extract", () => [bundle], { FUSELAGE_MOUNT: "extract" }, []],
  ["a writable bundle", () => [writable], {}, []],
  ["an AppImage", () => [appImage], {}, []],
  [
    "--static",
    () => [runnerOf(asRoot), "-s", `a:${image}`, ...shell("FUSELAGE_STATIC")],
    {},
    ["mksquashfs"],
  ],
  [
    "--dynamic, setuid-root",
    () => [runnerOf(setuidRoot), "-d", `a:${image}`, ...shell("FUSELAGE_DYNAMIC")],
    {},
    ["mksquashfs"],
  ],
];

for (const [folder, script] of folders) {
  describe(`in a folder ${folder}`, () => {
    const inFolder = (command: string[], env: Record<string, string>) => {
      const cwd = temporaryDirectory();
      const home = script.includes("--bounding") ? temporaryDirectory() : userDirectory();
      const all = { HOME: home, FUSELAGE_LINGER: "0", ...env };
      return run("unshare", ["-m", "sh", "-c", script, "sh", ...command], { cwd, env: all }).then(
        (outcome) => ({ ...outcome, stdout: outcome.stdout.replaceAll(cwd, "CWD") }),
      );
    };
    for (const [title, command, env, needs] of starts) {
      skipUnless(
        "root",
        "userns",
        ...needs,
      )(title, async () => {
        const direct = await inFolder(["sh", "-c", `echo packed; ${look}`], env);
        expect(direct.stdout).toMatch(/^packed\n/);
        const outcome = await inFolder(command(), env);
        expect(outcome).toEqual(direct);
      });
    }
  });
}
