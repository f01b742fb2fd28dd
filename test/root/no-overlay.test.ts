/** Starts where the kernel has no overlays, or none for users: what works, and what is said. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, root as repository, run } from "../support/process.ts";
import { homeFor, rootBundle, type Starter, starters, watchRoot } from "../support/root-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const places = ["proc", "sys", "dev", "tmp", "run", "srv", "data", "etc"];
const needs = ["root", "userns", "fuse", "busybox", "mksquashfs", "gcc"] as const;

let refuser: string;
let file: string;
beforeAll(async () => {
  const dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  refuser = path.join(dir, "refuse-overlay");
  execFileSync("cc", ["-o", refuser, path.join(repository, "test/support/refuse-overlay.c")]);
  file = await rootBundle({ "srv/own": "the image's\n", "etc/hosts": "" }, {}, (tree) => {
    for (const place of places) mkdirSync(path.join(tree, place), { recursive: true });
  });
});

/** A start whose tracer turns overlays away. */
function start(starter: Starter, home: string, app: string, ...args: string[]) {
  const uid = starter.root ? "0" : `${ordinaryUser().uid}`;
  const env = { HOME: home, FUSELAGE_LINGER: "0", DISPLAY: undefined, XDG_RUNTIME_DIR: undefined };
  return run(refuser, [uid, app, "--bundle-run", ...args], { cwd: home, env });
}

describe.each(starters)("without overlays, $title,", (starter) => {
  const check = skipUnless(...needs);

  check("a start fails, and says what does without", async () => {
    const home = homeFor(starter);
    const left = watchRoot(file, home);
    const refused = await start(starter, home, file, "--", "true");
    expect(refused).toMatchObject({
      stdout: "",
      stderr: expect.stringMatching(
        /\[E_ROOT_START\] overlayfs over the image \(this kernel has none.*--read-only does without\): No such device/,
      ),
    });
    expect(refused.status).not.toBe(0);
    const persist = await start(starter, home, file, "--persist", `${home}/kept`, "--", "true");
    expect(persist.stderr).toContain("[E_ROOT_START] overlayfs over the image");
    expect(await left()).toEqual(nothing);
  });

  check("--read-only starts the image as it is", async () => {
    const home = homeFor(starter);
    const left = watchRoot(file, home);
    const script = `cat /srv/own; pwd; echo $HOME; echo x > /tmp/x && echo y > /run/y && cat /tmp/x /run/y;
      (echo z > /srv/z) 2>/dev/null || echo read-only; ls -d /proc/self/fd /sys/class /dev/null;
      cmp /etc/hosts /data/hosts && echo hosts`;
    const outcome = await start(
      starter,
      home,
      file,
      "--read-only",
      "-v",
      "/etc:/data:ro",
      "--",
      "sh",
      "-c",
      script,
    );
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    // The home of a test is below /tmp, where there is room for it.
    expect(outcome.stdout).toBe(
      `the image's\n${home}\n${home}\nx\ny\nread-only\n/dev/null\n/proc/self/fd\n/sys/class\nhosts\n`,
    );
    expect(
      await start(starter, home, file, "--read-only", "--", "sh", "-c", "exit 9"),
    ).toMatchObject({ status: 9 });
    const away = ["--read-only", "--", "sh", "-c", "pwd; echo $HOME; ls /mnt"];
    const elsewhere = await start(starter, "/mnt", file, ...away);
    expect(elsewhere.stdout).toBe("/\n/root\n");
    expect(await left()).toEqual(nothing);
  });

  check("what has no place in the image is named", async () => {
    const home = homeFor(starter);
    writeFileSync(path.join(home, "mine"), "my own\n");
    const volume = await start(
      starter,
      home,
      file,
      "--read-only",
      "-v",
      `${home}:/nowhere`,
      "--",
      "true",
    );
    expect(volume.stderr).toContain(
      "[E_ROOT_SOURCE] /nowhere in the image (the image has no place for it, and without overlayfs none can be made)",
    );
    const bare = await rootBundle();
    const refused = await start(starter, home, bare, "--read-only", "--", "true");
    expect(refused.stderr).toContain(
      "[E_ROOT_SOURCE] /sys in the image (the image has no place for it",
    );
    const kept = await start(
      starter,
      home,
      file,
      "--read-only",
      "-v",
      `${home}:/data`,
      "--",
      "cat",
      "/data/mine",
    );
    expect(kept).toMatchObject({ status: 0, stdout: "my own\n" });
  });
});
